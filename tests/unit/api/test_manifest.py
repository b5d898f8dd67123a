"""The manifests of the documentation, and files that hold no manifest."""

from pathlib import Path

import pytest

from uwsgi_autopilot.api.manifest import load_manifest, parse_manifest
from uwsgi_autopilot.api.nginxspec import AccessLog, NginxSpec, RealIp, StaticFiles
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import (
    Bounds,
    HealthSpec,
    Mode,
    ProcessBounds,
    ResourceLimits,
    TuningSpec,
    UwsgiApp,
    UwsgiOption,
)
from uwsgi_autopilot.errors import SpecError, UsageError

HERE = Path(__file__).parent
HEAD = "apiVersion: uwsgi-autopilot.dev/v1alpha1\nkind: UwsgiApp\nmetadata: {name: shop}\n"


def test_the_manifest_in_full_use() -> None:
    assert load_manifest(HERE / "full.yaml") == UwsgiApp(
        name="shop",
        module="wsgi:app",
        image="shop:1.4",
        chdir="/app",
        env=(),
        health=HealthSpec(path="/", host=""),
        limits=ResourceLimits(cpu=2.0, memory=1024**3),
        options=(UwsgiOption(name="buffer-size", value="65535"), UwsgiOption(name="lazy-apps", value=None)),
        nginx=NginxSpec(
            body_size_bytes=10 * 1024**2,
            read_timeout_s=60,
            header_size_bytes=8192,
            access_log=AccessLog.JSON,
            gzip=True,
            headers=(("Content-Security-Policy", "default-src 'self'"),),
            streaming=("/events",),
            static=(StaticFiles(path="/static", dir="/app/static"),),
            internal=(StaticFiles(path="/private", dir="/data/private"),),
            real_ip=RealIp(trusted=("10.0.0.0/8", "fd00::/8"), header="X-Forwarded-For", recursive=True),
            snippet="location /ws/ { proxy_pass http://127.0.0.1:8001; }\n",
        ),
        tuning=TuningSpec(
            mode=Mode.AUTO,
            start=Shape(2, 4),
            pin=Shape(4, 8),
            processes=ProcessBounds(min=1, max=16),
            threads=Bounds(min=1, max=64),
            max_connections=100,
            connections_per_process=5,
        ),
        ignored=(
            "spec.image",
            "spec.imagePullPolicy",
            "spec.imagePullSecrets",
            "spec.chdir",
            "spec.python",
            "spec.replicas",
            "spec.service",
            "spec.commonMetadata",
        ),
    )


def test_the_smallest_manifest_has_every_default() -> None:
    app = load_manifest(HERE / "smallest.yaml")
    assert app == UwsgiApp(name="shop", module="wsgi:app", image="shop:1.4", ignored=("spec.image",))
    assert (app.tuning.mode, app.tuning.start, app.tuning.pin) == (Mode.AUTO, Shape(2, 4), None)


@pytest.mark.parametrize(
    ("tuning", "start"),
    [
        pytest.param("{}", Shape(2, 4), id="two processes of four threads"),
        pytest.param("{processes: {max: 1}}", Shape(1, 4), id="a start that nobody wrote moves below the maximum"),
        pytest.param("{processes: {min: 3}, threads: {min: 8}}", Shape(3, 8), id="and above the minimum"),
        pytest.param("{start: {processes: 5, threads: 6}}", Shape(5, 6), id="a start that is written counts"),
        pytest.param("", Shape(2, 4), id="a field without a value is absent"),
    ],
)
def test_where_the_search_starts(tuning: str, start: Shape) -> None:
    app = parse_manifest(f"{HEAD}spec:\n  module: wsgi:app\n  tuning: {tuning}\n", "shop.yaml")
    assert app.tuning.start == start


def test_units_and_plain_values() -> None:
    text = """spec:
  module: shop/wsgi.py
  resources: {limits: {cpu: 750m, memory: 512M}}
  nginx: {bodySize: 1000, readTimeout: 1m30s, static: [{path: /static/, dir: static}]}
  env:
  - {name: DAY, value: 2024-01-01}
  - {name: TIME, value: 1:30}
  - {name: EMPTY}
  - {name: TOKEN, valueFrom: {secretKeyRef: {name: shop, key: token}}}
  envFrom: [{configMapRef: {name: shop}}]
"""
    app = parse_manifest(HEAD + text, "shop.yaml")
    assert app.limits == ResourceLimits(cpu=0.75, memory=512_000_000)
    assert (app.nginx.body_size_bytes, app.nginx.read_timeout_s) == (1000, 90)
    assert app.nginx.static == (StaticFiles(path="/static", dir="static"),)
    # kubectl's YAML knows neither dates nor sexagesimal numbers; PyYAML alone would make a date and 90 of these.
    assert app.env == (("DAY", "2024-01-01"), ("TIME", "1:30"), ("EMPTY", ""))
    assert app.ignored == ("spec.env[3].valueFrom", "spec.envFrom")


def test_what_an_api_server_added_is_no_problem() -> None:
    text = HEAD.replace("{name: shop}", "{name: shop, namespace: web, uid: 7, labels: {a: b}, resourceVersion: '9'}")
    assert parse_manifest(f"{text}spec: {{module: a:b}}\nstatus: {{replicas: 3}}\n", "x").module == "a:b"


def test_anchors_and_merged_mappings_are_followed() -> None:
    text = "spec:\n  module: a:b\n  tuning:\n    processes: &few {min: 2, max: 3}\n    threads: {<<: *few, max: 5}\n"
    tuning = parse_manifest(HEAD + text, "x").tuning
    assert (tuning.processes, tuning.threads) == (ProcessBounds(min=2, max=3), Bounds(min=2, max=5))


def test_the_one_application_among_other_objects_is_taken() -> None:
    other = "kind: ConfigMap\ndata: {a: 1, a: 2}\n"
    app = parse_manifest(f"---\n---\n{other}---\n{HEAD}spec: {{module: a:b}}\n---\n", "x")
    assert app.name == "shop"


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{here}: &{here} [{','.join(['*' + before] * 9)}]\n" for before, here in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "shop.yaml: expected a manifest of kind UwsgiApp, found an empty file", id="an empty file"),
        pytest.param("# nothing\n---\n", "found an empty file", id="comments alone"),
        pytest.param(
            "hello", 'expected a manifest with apiVersion, kind, metadata and spec, found "hello"', id="prose"
        ),
        pytest.param("[1, 2]", "found a list of 2", id="a list"),
        pytest.param(f"{HEAD}---\n{HEAD}", "expected one UwsgiApp, found 2 (in lines 1 and 5)", id="two applications"),
        pytest.param(
            "kind: Service\n---\nkind: Deployment\n",
            'found none among "Service", "Deployment"',
            id="two objects and none is an application",
        ),
        pytest.param("spec:\n\tmodule: x\n", "shop.yaml:2: a tab stands in the indentation", id="a tab"),
        pytest.param("spec:\n  a: b: c\n", "shop.yaml:2: not YAML: mapping values are not allowed here", id="a colon"),
        pytest.param("spec: {module: [}\n", "shop.yaml:1: not YAML:", id="a bracket that is not closed"),
        pytest.param("spec: \x07\n", "shop.yaml: not YAML:", id="a bell"),
        pytest.param('spec: "\\U99999999"\n', "shop.yaml:1: not YAML:", id="a character that does not exist"),
        pytest.param("spec: {{ .Values.spec }}\n  x: {}", "render it first", id="a template of helm"),
        pytest.param("a: *nobody\n", "found undefined alias 'nobody'", id="an alias to nothing"),
        pytest.param("a: &a [*a]\n", "inside of what it names", id="an alias to itself"),
        pytest.param(BOMB, "more than 100000 values", id="nine lines that stand for nine million values"),
        pytest.param("a: " + "[" * 5000, "nested too deeply", id="five thousand brackets"),
        pytest.param(f"a: {'9' * 5000}", "a number of 5000 digits", id="a number that fills a screen"),
        pytest.param("#" * (1024 * 1024 + 1), "at most 1 MiB", id="a text of more than a mebibyte"),
    ],
)
def test_what_is_no_manifest(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_manifest(text, "shop.yaml")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "uwsgiapp.yaml").write_text("x")
    (tmp_path / "app.py").write_text("app: 1")
    (tmp_path / "app.ini").write_text("[uwsgi]")
    (tmp_path / "latin.yaml").write_bytes(b"a: b\nc: caf\xe9\n")
    (tmp_path / "utf16.yaml").write_text("a: b", encoding="utf-16")
    (tmp_path / "big.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    for name, sentence in {
        ".": f"found a directory: name the file, such as {tmp_path}/uwsgiapp.yaml",
        "missing.yaml": "there is no such file",
        "uwsgiapp.yaml/x": "Not a directory",
        "zero\0byte": "cannot be read",
        "latin.yaml": "latin.yaml:2: expected UTF-8, found the byte 0xe9",
        "utf16.yaml": "expected UTF-8, found the byte 0xff",
        "big.yaml": "at most 1 MiB",
        "app.py": "found Python: write one next to it, with `spec: {module: app:app}`",
        "app.ini": "found a configuration of uWSGI: `uwsgi-autopilot serve",
        "n" * 300: "File name too long",
    }.items():
        with pytest.raises(UsageError) as caught:
            load_manifest(tmp_path / name)
        assert sentence in str(caught.value)


def test_a_file_without_the_right_to_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text("x")
    path.chmod(0)
    try:
        path.read_text()
    except PermissionError:
        with pytest.raises(UsageError, match="not readable for this user"):
            load_manifest(path)
    else:
        pytest.skip("this user reads every file (root)")


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_text(f"{HEAD}spec: {{module: a:b}}\n", encoding="utf-8-sig")
    assert load_manifest(path).module == "a:b"


def test_all_problems_are_listed_in_the_order_of_the_manifest() -> None:
    text = """spec:
  tuning:
    threads: {min: 9, max: 3}
    mode: Off
    thraeds: 5
  nginx: {bodySize: lots}
  module: "no module"
  module: wsgi:app
"""
    with pytest.raises(SpecError) as caught:
        parse_manifest(HEAD + text, "x")
    assert str(caught.value).splitlines() == [
        "spec.tuning.threads.max: 3 is below spec.tuning.threads.min (9)",
        "spec.tuning.mode: expected Auto, Recommend or Disabled, found false (YAML reads Off as false: write Disabled)",
        "spec.tuning.thraeds: unknown field, did you mean threads? Known here: mode, start, pin, processes, threads, "
        "maxConnections, connectionsPerProcess, memoryGuard, parking",
        'spec.nginx.bodySize: expected a quantity such as 10Mi, not negative and below 8Ei, found "lots"',
        "spec.module: written twice, in line 10 and in line 11: only one of them can count",
    ]
