"""A Flask application whose requests cost what you ask for: CPU, waiting, or both. Made to be copied.

    /                  what is running here
    /cpu?ms=5          computes for 5 ms of CPU and holds Python's interpreter lock: more processes help, threads do not
    /io?ms=100         waits for 100 ms as for a database: more threads help
    /mixed?wait=20&cpu=2   waits 20 ms, then computes 2 ms: what most applications do
    /healthz           ok

Run it:  uwsgi http.ini  (then open http://localhost:8080)
"""

import os
import platform
import threading
import time
from importlib.metadata import version

import flask

try:
    import uwsgi  # exists only within uWSGI
except ImportError:
    uwsgi = None

MAX_MS = 10_000

app = flask.Flask(__name__)


def milliseconds(name: str, default: float) -> float:
    """The query's `name` in milliseconds, 0 to MAX_MS. Anything else is answered with 400 and a sentence."""
    text = flask.request.args.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= MAX_MS:  # also refuses nan
        sentence = f"{name}: expected milliseconds from 0 to {MAX_MS}, found {text!r}\n"
        flask.abort(flask.Response(sentence, status=400, mimetype="text/plain"))
    return value


def compute(ms: float) -> None:
    """Hold the interpreter lock for `ms` of CPU time.

    Thread CPU time, not the clock on the wall: the work stays the same when others use the CPU or hold the lock.
    """
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end:
        for _ in range(500):  # about 10 microseconds of pure Python between two looks at the clock
            pass


def wait(ms: float) -> None:
    """Sleep, as a thread does that waits for a database or for another service. The interpreter lock is free."""
    time.sleep(ms / 1000)


def text(line: str) -> flask.Response:
    return flask.Response(line + "\n", mimetype="text/plain")


@app.get("/cpu")
def cpu() -> flask.Response:
    ms = milliseconds("ms", 5)
    compute(ms)
    return text(f"computed {ms:g} ms")


@app.get("/io")
def io() -> flask.Response:
    ms = milliseconds("ms", 100)
    wait(ms)
    return text(f"waited {ms:g} ms")


@app.get("/mixed")
def mixed() -> flask.Response:
    waiting, computing = milliseconds("wait", 20), milliseconds("cpu", 2)
    wait(waiting)
    compute(computing)
    return text(f"waited {waiting:g} ms, computed {computing:g} ms")


@app.get("/healthz")
def healthz() -> flask.Response:
    return text("ok")


@app.get("/")
def home() -> str:
    return flask.render_template_string(PAGE, facts=facts(), links=LINKS)


def facts() -> list[tuple[str, str]]:
    """What serves this request, as (name, value)."""
    found = [
        ("Python", platform.python_version()),
        ("Flask", version("flask")),
        ("process", f"pid {os.getpid()}, {threading.current_thread().name}"),
    ]
    if uwsgi is None:
        return [("server", "not uWSGI"), *found]
    # Workers that uWSGI could start, but has not, are "cheap".
    live = sum(worker["status"] != b"cheap" for worker in uwsgi.workers())
    return [
        ("server", f"uWSGI {uwsgi.version.decode()}"),
        ("processes", str(live)),
        ("threads per process", option("threads", "1")),
        ("this worker", f"number {uwsgi.worker_id()}"),
        *found,
    ]


def option(name: str, default: str) -> str:
    """The value of a uWSGI option. A flag that is set reads True there, and values are bytes."""
    value = uwsgi.opt.get(name, default)
    if isinstance(value, list):
        value = value[-1]
    return value.decode() if isinstance(value, bytes) else str(value)


LINKS = [
    ("/cpu?ms=5", "computes for 5 ms: bound by the interpreter lock, one CPU for each process"),
    ("/io?ms=100", "waits for 100 ms: a thread is all it needs"),
    ("/mixed?wait=20&cpu=2", "waits 20 ms and computes 2 ms: needs the right number of both"),
    ("/healthz", "ok, for health checks"),
]

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>demo on {{ facts[0][1] }}</title>
<style>
  :root { color-scheme: light dark; --line: #8884; --link: light-dark(#0b57d0, #8ab4f8); }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
  h1 { font-size: 1.6rem; margin: 0; }
  p { margin: .25rem 0 2rem; opacity: .75; }
  table { border-collapse: collapse; width: 100%; margin-bottom: 2rem; }
  th, td { text-align: left; padding: .5rem .75rem .5rem 0; border-top: 1px solid var(--line); font-weight: 400; }
  th { width: 12rem; opacity: .75; white-space: nowrap; }
  td { font-variant-numeric: tabular-nums; }
  a { color: var(--link); font-family: ui-monospace, monospace; font-size: .9em; }
</style>
<h1>It runs.</h1>
<p>Reload the page: another worker may answer.</p>
<table>
  {%- for name, value in facts %}
  <tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>
  {%- endfor %}
</table>
<table>
  {%- for path, meaning in links %}
  <tr><th scope="row"><a href="{{ path }}">{{ path }}</a></th><td>{{ meaning }}</td></tr>
  {%- endfor %}
</table>
</html>
"""
