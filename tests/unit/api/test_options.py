import pytest

from uwsgi_autopilot.api.options import refusal_of


@pytest.mark.parametrize(
    "name",
    [
        *(
            "socket",
            "s",
            "uwsgi-socket",
            "http",
            "http-socket",
            "http-to",
            "https",
            "listen",
            "chmod-socket",
            "protocol",
        ),
        *("processes", "workers", "p", "threads", "stats", "stats-http", "master-fifo"),
        *("cheaper", "cheaper-algo", "cheaper-initial", "cheaper-busyness-max", "cheaper-rss-limit-hard", "idle"),
        *("touch-reload", "touch-chain-reload", "touch-mules-reload", "fs-reload", "py-autoreload", "reload-mercy"),
        *("daemonize", "daemonize2", "pidfile", "uid", "gid", "chroot", "emperor", "emperor-tyrant", "vassals-include"),
        *("ini", "include", "inherit", "json", "yaml", "y", "xml", "set", "declare-option", "if-env", "for", "endif"),
        *("module", "wsgi-file", "chdir", "master", "need-app", "strict", "no-orphans", "die-on-term"),
        *("gevent", "async", "evil-reload-on-rss", "no-threads-wait", "zerg", "zerg-pool", "fastrouter", "show-config"),
    ],
)
def test_what_the_autopilot_owns_or_cannot_live_with_is_refused(name):
    refusal = refusal_of(name)
    assert refusal is not None
    assert refusal.startswith(f"{name} cannot be set: ")
    assert "\n" not in refusal


@pytest.mark.parametrize(
    "name",
    [
        *(
            "lazy-apps",
            "buffer-size",
            "harakiri",
            "max-requests",
            "max-requests-delta",
            "reload-on-rss",
            "thunder-lock",
        ),
        *("env", "pythonpath", "virtualenv", "mount", "manage-script-name", "static-map", "post-buffering", "vacuum"),
        *("log-format", "logto", "log-4xx", "disable-logging", "memory-report", "worker-reload-mercy", "max-fd"),
        *("hook-post-fork", "exec-asap", "mule", "cron", "spooler", "attach-daemon", "offload-threads", "route"),
        *(
            "set-placeholder",
            "close-on-exec",
            "procname-prefix",
            "single-interpreter",
            "cache2",
            "start_response-nodelay",
        ),
    ],
)
def test_what_concerns_only_the_application_is_allowed(name):
    assert refusal_of(name) is None


@pytest.mark.parametrize("name", ["", "--socket", "a b", "x=y", "x\ny", "[uwsgi]", "#x", ";x", "%n"])
def test_a_text_that_is_no_option_name_is_refused(name):
    assert "is not the name of a uWSGI option" in (refusal_of(name) or "")


def test_one_letter_forms_do_not_exist_in_configuration_files():
    assert "long name" in (refusal_of("b") or "")  # buffer-size itself is allowed
