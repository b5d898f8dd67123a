"""The operator's log lines as what collects them reads them."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import kopf
import pytest
from kopf._core.actions.loggers import ObjectLogger

from uwsgi_autopilot.controller.logs import JsonFormatter
from uwsgi_autopilot.controller.workqueue import Key

SHOP = Key("team", "shop")


class Lines(logging.Handler):
    """What a handler with that formatter writes."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))

    @property
    def last(self) -> dict[str, Any]:
        assert "\n" not in self.written[-1]
        found: dict[str, Any] = json.loads(self.written[-1])
        return found


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


log = logging.getLogger("uwsgi_autopilot.test")


def test_a_line_about_an_application_names_it(lines: Lines) -> None:
    log.warning("recycled app=%s: %s", SHOP, "pod shop-0")
    line = lines.last
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "warning", "logger": "uwsgi_autopilot.test", "message": "recycled app=team/shop: pod shop-0",
        "namespace": "team", "app": "shop",
    }  # fmt: skip
    log.warning("tuned again app=%s", SHOP)
    assert lines.last["app"] == "shop", "alone among the values"


def test_a_line_about_none_names_none(lines: Lines) -> None:
    log.warning("objects could not be listed")
    assert set(lines.last) == {"ts", "level", "logger", "message"}


def test_a_traceback_is_in_the_object_and_shows_no_secret(lines: Lines) -> None:
    try:
        raise RuntimeError('connect(password="hunter2")\nsecond line')
    except RuntimeError as error:
        log.error("planning failed token='hunter2' app=%s", SHOP, exc_info=error)
    assert "hunter2" not in lines.written[-1]
    assert lines.last["traceback"].startswith("Traceback (most recent call last):\n")
    assert "second line" in lines.last["traceback"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [("UwsgiApp", {"app": "shop", "namespace": "team"}), ("Pod", {"object": "shop", "namespace": "team"})],
)
def test_kopfs_own_lines_name_what_they_are_about(lines: Lines, kind: str, told: dict[str, str]) -> None:
    body = kopf.Body({"kind": kind, "metadata": {"name": "shop", "namespace": "team", "uid": "u"}})  # type: ignore[typeddict-item]
    ObjectLogger(body=body, settings=kopf.OperatorSettings()).warning("a watch ended")
    assert lines.last.items() >= told.items()
