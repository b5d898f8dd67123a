"""app/wsgi.py: what its routes do, and what a wrong query is told."""

import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from tests.importing import import_file

APP = Path(__file__).resolve().parents[2] / "app"


@pytest.fixture(scope="module")
def wsgi() -> ModuleType:
    return import_file(APP / "wsgi.py")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/cpu?ms=1", "computed 1 ms\n"),
        ("/io?ms=1.5", "waited 1.5 ms\n"),
        ("/mixed?wait=1&cpu=0", "waited 1 ms, computed 0 ms\n"),
        ("/cpu", "computed 5 ms\n"),
        ("/io", "waited 100 ms\n"),
        ("/mixed", "waited 20 ms, computed 2 ms\n"),
        ("/healthz", "ok\n"),
    ],
)
def test_routes(wsgi: ModuleType, path: str, says: str) -> None:
    answer = wsgi.app.test_client().get(path)
    assert (answer.status_code, answer.text) == (200, says)


@pytest.mark.parametrize("value", ["", "x", "-1", "10001", "nan", "inf", "1e99", "0x10", "5;ls"])
@pytest.mark.parametrize(("path", "name"), [("/cpu", "ms"), ("/io", "ms"), ("/mixed", "wait"), ("/mixed", "cpu")])
def test_a_bad_value_is_answered_with_400_and_a_sentence(wsgi: ModuleType, path: str, name: str, value: str) -> None:
    answer = wsgi.app.test_client().get(path, query_string={name: value})
    assert answer.status_code == 400
    assert answer.text == f"{name}: expected milliseconds from 0 to 10000, found {value!r}\n"
    assert answer.mimetype == "text/plain"


def test_the_home_page_works_without_uwsgi_and_links_every_route(wsgi: ModuleType) -> None:
    page = wsgi.app.test_client().get("/").text
    assert "not uWSGI" in page
    for path in ("/cpu?ms=5", "/io?ms=100", "/mixed?wait=20&amp;cpu=2", "/healthz"):
        assert f'href="{path}"' in page


def test_computing_takes_that_much_cpu_and_holds_the_interpreter_lock(wsgi: ModuleType) -> None:
    """Two threads of 60 ms each cannot overlap: together they take twice as long, however many CPUs there are."""
    used: list[float] = []

    def work() -> None:
        before = time.thread_time()
        wsgi.compute(60)
        used.append(time.thread_time() - before)

    threads = [threading.Thread(target=work) for _ in range(2)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(used) >= 0.06
    assert time.monotonic() - begin >= 0.1


def test_waiting_uses_no_cpu(wsgi: ModuleType) -> None:
    begin, cpu = time.monotonic(), time.thread_time()
    wsgi.wait(100)
    assert time.monotonic() - begin >= 0.1
    assert time.thread_time() - cpu < 0.05
