import pytest

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.uwsgi.ini import MAX_FD, buffer_size, generation_ini, most_workers
from uwsgi_autopilot.uwsgi.loading import names_a_file

TWO_BY_FOUR = Shape(2, 4)


def config(**changes: object) -> AgentConfig:
    base: dict[str, object] = {
        "name": "shop",
        "uwsgi": ("uwsgi",),
        "module": "wsgi:app",
        "chdir": "/app",
        "socket": "/run/app.sock",
        "private": "/private",
        "desired": "/desired",
        "start": Shape(2, 4),
        "listen": "unix:/run/state.sock",
    }
    return AgentConfig(**{**base, **changes})


def ini(
    shape: Shape = TWO_BY_FOUR, ceiling: int = 8, *, shim: str | None = None, file: bool = False, **changes: object
) -> str:
    return generation_ini(
        config(**changes),
        shape=shape,
        ceiling=ceiling,
        fds=[7],
        fifo="/private/g3.fifo",
        stats="/private/g3.stats",
        shim=shim,
        file=file,
    )


def lines(text: str) -> list[tuple[str, str]]:
    head, *rest = text.splitlines()
    assert head == "[uwsgi]"
    return [tuple(line.split(" = ", 1)) for line in rest]  # type: ignore[misc]


def values(text: str, name: str) -> list[str]:
    return [value for each, value in lines(text) if each == name]


def test_the_shape_is_what_uwsgi_starts_with_and_the_ceiling_what_it_may_have():
    text = ini(Shape(3, 16), ceiling=12)
    assert values(text, "processes") == ["12"]
    assert values(text, "threads") == ["16"]
    assert values(text, "cheaper-initial") == ["3"]
    assert values(text, "cheaper-algo") == ["manual"]
    assert values(text, "socket") == ["fd://7"]
    assert values(text, "master-fifo") == ["/private/g3.fifo"]


def test_a_ceiling_of_one_has_no_cheaper_because_uwsgi_would_not_start():
    assert not [name for name, _ in lines(ini(Shape(1, 4), ceiling=1)) if name.startswith("cheaper")]


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        pytest.param("wsgi:app", [("module", "wsgi:app")], id="module and attribute"),
        pytest.param("shop.wsgi", [("module", "shop.wsgi")], id="module alone"),
        pytest.param("shop:make()", [("module", "shop:make()")], id="factory"),
        pytest.param("src/wsgi.py", [("wsgi-file", "src/wsgi.py")], id="file"),
        pytest.param("/srv/app.wsgi", [("wsgi-file", "/srv/app.wsgi")], id="mod_wsgi's"),
        pytest.param("wsgi.py:app", [("wsgi-file", "wsgi.py"), ("callable", "app")], id="file and attribute"),
    ],
)
def test_how_the_application_is_named(module, expected):
    found = [
        line
        for line in lines(ini(module=module, file=names_a_file(module, "/nowhere")))
        if line[0] in ("module", "wsgi-file", "callable")
    ]
    assert found == expected


@pytest.mark.parametrize("option", [("mount", "/shop=wsgi:app"), ("mule", "mule.py"), ("mules", "2")])
def test_a_default_that_breaks_with_an_option_of_theirs_gives_way(option):
    assert ("py-call-uwsgi-fork-hooks", "true") in lines(ini())
    given = lines(ini(options=(option,)))
    assert "py-call-uwsgi-fork-hooks" not in dict(given)


def test_a_resolved_configuration_gets_no_application_and_few_defaults():
    """It names its own; what is left of `%` stands for itself."""
    given = lines(ini(module=None, options=(("module", "a:b"), ("log-format", "%(uri) 100%"))))
    assert [value for name, value in given if name in ("module", "log-format")] == ["a:b", "%%(uri) 100%%"]
    names = {name for name, _ in given}
    assert {"strict", "chdir", "single-interpreter", "thunder-lock", "disable-logging"} & names == set()
    assert {"master", "need-app", "no-orphans", "enable-threads", "worker-reload-mercy"} <= names


def test_the_persons_options_come_last_in_their_order_and_replace_our_defaults():
    options = (("buffer-size", "65535"), ("lazy-apps", None), ("env", "A=1"), ("env", "B=2"), ("thunder-lock", "false"))
    text = ini(options=options)
    assert lines(text)[-5:] == [
        ("buffer-size", "65535"),
        ("lazy-apps", "true"),
        ("env", "A=1"),
        ("env", "B=2"),
        ("thunder-lock", "false"),
    ]
    assert values(text, "buffer-size") == ["65535"]
    assert values(text, "thunder-lock") == ["false"]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        pytest.param([], 65535, id="ours"),
        pytest.param([("buffer-size", "8192"), ("buffer-size", "16384")], 16384, id="the last of the person's"),
        pytest.param([("buffer-size", "many"), ("post-buffering", "1")], 65535, id="none that is a number"),
    ],
)
def test_how_much_all_headers_may_fill(options, size):
    assert buffer_size(options) == size


def test_bodies_are_read_before_the_application_is_asked_unless_a_person_says_otherwise():
    assert values(ini(), "post-buffering") == ["32768"]
    assert values(ini(options=(("post-buffering", "0"),)), "post-buffering") == ["0"]


def test_an_option_under_another_name_replaces_our_default_too():
    text = ini(options=(("py-call-osafterfork", None),))
    assert values(text, "py-call-uwsgi-fork-hooks") == []


@pytest.mark.parametrize("option", [("max-requests", "1000"), ("max-worker-lifetime", "9"), ("reload-on-rss", "200")])
def test_workers_that_are_recycled_are_given_the_longest_silent_request(option):
    """A stream in each of them would keep all of them from being replaced."""
    text = ini(request_seconds=12.3, stream_seconds=99.5, options=(option,))
    assert values(text, "worker-reload-mercy") == ["13"]


def test_workers_that_go_are_given_the_longest_answer():
    assert values(ini(request_seconds=12.3, stream_seconds=99.5), "worker-reload-mercy") == ["100"]
    assert values(ini(options=(("worker-reload-mercy", "5"),)), "worker-reload-mercy") == ["5"]


def test_a_percent_sign_is_literal_in_our_paths_and_magic_in_the_persons_values():
    text = ini(chdir="/srv/100%n", options=(("log-format", "%(addr) %d %%"),))
    assert values(text, "chdir") == ["/srv/100%%n"]
    assert values(text, "log-format") == ["%(addr) %d %%"]


@pytest.mark.parametrize(("value", "written"), [("100%", "100%%"), ("100%%", "100%%"), ("%%%", "%%%%")])
def test_a_percent_sign_at_the_end_does_not_swallow_the_next_line(value, written):
    assert values(ini(options=(("procname-prefix", value),)), "procname-prefix") == [written]


def test_the_shim_comes_with_the_option_that_makes_it_necessary():
    text = ini(shim="/private/uwsgi_autopilot_atexit.py")
    assert values(text, "skip-atexit-teardown") == ["true"]
    assert values(text, "shared-pyimport") == ["/private/uwsgi_autopilot_atexit.py"]
    assert values(ini(), "skip-atexit-teardown") == []


@pytest.mark.parametrize("breaker", ["\n", "\r", "\0"])
def test_a_line_break_cannot_smuggle_an_option_in(breaker):
    with pytest.raises(ValueError, match="env: a value in an ini file cannot hold a line break"):
        ini(options=(("env", f"A=1{breaker}processes = 99"),))
    with pytest.raises(ValueError, match="line break"):
        ini(chdir=f"/app{breaker}")


@pytest.mark.parametrize("name", ["processes", "socket", "cheaper", "x = y\nprocesses", "[uwsgi]"])
def test_an_option_that_the_autopilot_owns_is_refused_here_too(name):
    with pytest.raises(ValueError):
        ini(options=((name, "1"),))


@pytest.mark.parametrize(
    ("shape", "ceiling"),
    [
        pytest.param(Shape(9, 1), 8, id="more workers than the ceiling"),
        pytest.param(Shape(1, 1), MAX_FD, id="a ceiling beyond the descriptors"),
    ],
)
def test_a_shape_that_uwsgi_would_die_of_is_refused(shape, ceiling):
    with pytest.raises(ValueError, match="expected"):
        ini(shape, ceiling)


def test_fewer_descriptors_allow_fewer_workers():
    # 1024 - 256 kept for everything else, two for each possible worker
    assert most_workers(config(options=(("max-fd", "1024"),))) == (1024 - 256) // 2


def test_the_same_input_gives_the_same_text():
    assert ini(options=(("lazy-apps", None),)) == ini(options=(("lazy-apps", None),))
