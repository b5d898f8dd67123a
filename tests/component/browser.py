"""A real browser without a window, driven as its developer tools drive it (the Chrome DevTools Protocol)."""

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.component.conftest import wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome")


class Page:
    """One page of the browser."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._sent = 0

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._sent += 1
        self._connection.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv())
            if answer.get("id") == self._sent:
                found: dict[str, Any] = answer
                return found

    def value(self, script: str) -> Any:
        """None also where there is no page to run it in, as while one takes the place of another."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        return answer.get("result", {}).get("result", {}).get("value")

    def open(self, url: str) -> None:
        assert "error" not in (answer := self.ask("Page.navigate", url=url)), answer

    def until(self, script: str, what: str) -> None:
        wait_until(lambda: bool(self.value(script)), what)

    def text(self) -> str:
        return str(self.value("document.body.innerText"))

    def fill(self, name: str, text: str) -> None:
        """As a person does: the field is chosen, and what is in it replaced by typing; once more where the page was
        still being built, and replaced the field or chose another one."""
        field = f"document.querySelector('input[name={name}]')"

        def filled() -> bool:
            if not self.value(f"{field}.focus(); {field}.select(); document.activeElement === {field}"):
                return False
            self.ask("Input.insertText", text=text)
            return bool(self.value(f"{field}.value") == text)

        wait_until(filled, f"a field {name} takes {text}")

    def press(self, button: str) -> None:
        found = f"[...document.querySelectorAll('button')].find(each => each.innerText.toLowerCase() == '{button}')"
        self.until(f"!!{found}", f"a button {button}")
        self.value(f"{found}.click()")


@contextmanager
def browser_page(folder: Path, starting: "Callable[..., subprocess.Popen[bytes]]") -> Iterator[Page]:
    """`folder`: for its profile. Skips the test where there is no browser."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("NOT TESTED in a browser: no Chromium is installed (make chromium, as root)")
    websocket = pytest.importorskip("websocket", reason="NOT TESTED in a browser: websocket-client is not installed")
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses root in its sandbox
    flags = ["--headless", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0", *alone]
    starting([program, *flags, f"--user-data-dir={folder}/profile", "about:blank"], stderr=subprocess.DEVNULL)
    written = folder / "profile" / "DevToolsActivePort"
    wait_until(lambda: written.exists() and len(written.read_text().split()) == 2, "the browser runs")
    port = written.read_text().split()[0]

    def pages() -> list[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=60) as answer:
            return [each["webSocketDebuggerUrl"] for each in json.load(answer) if each["type"] == "page"]

    wait_until(lambda: bool(pages()), "the browser has a page")
    connection = websocket.create_connection(pages()[0], suppress_origin=True, timeout=60)
    try:
        yield Page(connection)
    finally:
        connection.close()
