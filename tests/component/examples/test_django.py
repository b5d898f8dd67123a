"""docs/django.md, from its first command on: the shop of examples/django, served by what the page says.

Under a load that takes the whole machine a login takes many seconds, so people come before the load.
"""

import http.client
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.component.examples.conftest import environment, load
from tests.component.examples.postgresql import ask
from tests.component.local.running import Local, report_of, wait_for
from tests.pages import ROOT, blocks, commands

# Half a dozen commands that import Django, and a change that waits until the machine is calm: long on a busy one.
pytestmark = [pytest.mark.component, pytest.mark.timeout(480)]

SERVE = commands("docs/django.md", "cd examples/django")
(TUNE,) = commands("docs/django.md", "--report found.json")
POSTGRESQL = commands("docs/django.md", "export DATABASE_URL")
OPEN_NOW = commands("docs/django.md", "pg_stat_activity")
((ROLE, DATABASE),) = [each.commands for each in blocks("docs/django.md", "sql")]
SERVING = "uwsgi-autopilot local uwsgiapp.yaml"
FIRST = 2 * 4  # slots of the shape that the manifest starts with


@pytest.fixture
def shop(tmp_path) -> Path:
    """A copy of the example as it is in the repository."""
    folder = tmp_path / "examples" / "django"
    shutil.copytree(
        ROOT / "examples" / "django", folder, ignore=shutil.ignore_patterns("__pycache__", "db.sqlite3*", ".secret-key")
    )
    shutil.rmtree(folder / "static", ignore_errors=True)  # of collectstatic; catalog/static is ours
    return folder


def run(commands: list[str], folder: Path, **more: str) -> str:
    done = subprocess.run(
        ["bash", "-ec", "\n".join(commands)],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass
class Browser:
    """Keeps cookies, sends a form's token with it, follows no redirect."""

    url: str
    host: str = "localhost"
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, headers=headers)

    def post(self, path: str, *, token: str = "", **form: str) -> Answer:
        """With the token of the form at `path`, or with another one."""
        page = self.get(path)
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert page.status == 200, page.text[:500]
        assert found, page.text[:500]
        body = urlencode({"csrfmiddlewaretoken": token or found[1], **form})
        return self._ask("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})

    def _ask(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=120)
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, {"Host": self.host, "Cookie": cookie, **(headers or {})})
        answer = connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie") or []:
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        text = answer.read().decode()
        connection.close()
        return Answer(answer.status, answer.headers, text)


def check_shop(server: Local) -> None:
    """What needs the database: pages, and the admin from the login to a product that everybody sees."""
    browser = Browser(server.url)
    home = browser.get("/")
    assert (home.status, "Green tea" in home.text, "Teapot" in home.text) == (200, True, True)
    assert "Green tea" not in browser.get("/?q=teapot").text
    assert "Teapot" in browser.get("/products/3/").text
    assert browser.get("/products/4000/").status == 404
    assert browser.get("/wait?ms=20").text == "waited 20 ms\n"

    entered = browser.post("/admin/login/?next=/admin/", username="admin", password="change-me")
    assert (entered.status, entered.headers["Location"]) == (302, "/admin/")
    added = browser.post("/admin/catalog/product/add/", name="Sugar tongs", price="12.30")
    assert added.status == 302, added.text
    assert "Sugar tongs" in Browser(server.url).get("/").text


def check_static_files(server: Local) -> None:
    """The shop's and the admin's, by nginx: Django would object to that Host."""
    browser = Browser(server.url)
    (style,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', browser.get("/").text)
    for path in (style, "/static/admin/css/base.css"):
        file = browser.get(path, Host="nobody.example.com")
        assert (file.status, file.headers["Content-Type"]) == (200, "text/css")


def check_changed(server: Local) -> None:
    """The shape changes below the load, which then goes on."""
    server.says("changed 2x4", 240)
    before = server.requests()
    wait_for(lambda: server.requests() > before + 500, 120)


def test_the_shop_is_served_and_tuned_as_the_page_says(shop, serve) -> None:
    assert SERVE[-1] == SERVING
    run(SERVE[:-1], shop.parents[1])
    server = serve(SERVE[-1], shop)
    server.served()
    check_shop(server)
    check_static_files(server)
    assert server.end() == 0, server.err.read_text()

    assert TUNE.startswith(f"{SERVING} --for 60s ")
    server = serve(TUNE.replace(" --for 60s", ""), shop)
    check_changed(server)
    assert server.end() == 0, server.err.read_text()
    told = report_of(shop / "found.json")
    assert (told["failed"], set(told["statuses"])) == (0, {"200"})
    first = told["decisions"][0]
    assert first["kind"] == "try"
    assert first["to"]["processes"] * first["to"]["threads"] > FIRST
    # Beside others that use all cores a trial may be taken back, or another one may go on.
    last = [each for each in told["decisions"] if each["kind"] != "refuse"][-1]
    assert told["shape"] in (last["from"], last["to"])


def test_with_postgresql_it_opens_no_more_connections_than_the_manifest_allows(shop, serve, postgresql_url) -> None:
    """PostgreSQL itself refuses one more (CONNECTION LIMIT), and then a request would fail."""
    role = ROLE.replace("CONNECTION LIMIT 84", "CONNECTION LIMIT 32")
    assert role != ROLE
    ask(postgresql_url, role)
    ask(postgresql_url, DATABASE)
    manifest = shop / "uwsgiapp.yaml"
    text = manifest.read_text()
    assert "maxConnections: 80 " in text
    manifest.write_text(text.replace("maxConnections: 80 ", "maxConnections: 32 "))

    url = postgresql_url.replace("postgres@/postgres", "shop:secret@/shop")
    name, migrate, serving = POSTGRESQL
    assert (name.split("=")[0], migrate in SERVE, serving) == ("export DATABASE_URL", True, SERVING)
    data = [line for line in SERVE[:-1] if not line.startswith("pip ") and "collectstatic" not in line]
    run(data, shop.parents[1], DATABASE_URL=url)
    server = serve(serving, shop, DATABASE_URL=url)
    server.served()
    check_shop(server)
    with load(server.url, "clients=48,path=/wait?ms=100") as summary:
        check_changed(server)
        # Room for psql: of the page's 84, the manifest's 80 leave 4.
        ask(postgresql_url, "ALTER ROLE shop CONNECTION LIMIT 36")
        open_now = run(OPEN_NOW, shop, DATABASE_URL=url)
    assert FIRST < sum(map(int, re.findall(r"\| +(\d+)$", open_now, re.MULTILINE))) <= 33, open_now
    assert (summary["failures"], set(summary["statuses"])) == ({}, {"200"})
    assert server.end() == 0, server.err.read_text()
    assert not (shop / "db.sqlite3").exists()


def test_what_django_refuses_is_said_in_a_sentence(shop, serve) -> None:
    """Hosts and forms, without database and load: neither is reached."""
    outside = {"DJANGO_ALLOWED_HOSTS": "shop.example.com"}
    without_key = serve(SERVING, shop, **outside)
    server = serve(SERVING, shop, **outside, DJANGO_SECRET_KEY="k")
    assert without_key.process.wait(120) == 1
    said = without_key.err.read_text().rpartition("\nuwsgi-autopilot: ")[2]
    assert "beside DJANGO_ALLOWED_HOSTS expected a DJANGO_SECRET_KEY of its own, found none" in said

    def complains(host: str) -> bool:
        return f"Invalid HTTP_HOST header: '{host}'. You may need to add '{host}' to ALLOWED_HOSTS." in (
            server.err.read_text()
        )

    server.served()
    wait_for(lambda: complains("localhost"))  # health.host, as soon as the application is there
    browser = Browser(server.url, "shop.example.com")
    assert browser.get("/healthz", Host="nobody.example.com").status == 400
    wait_for(lambda: complains("nobody.example.com"))
    assert browser.get("/_autopilot/ready").status == 200
    assert browser.get("/healthz").text == "ok\n"
    assert browser.get("/wait?ms=x").text == "ms: expected milliseconds from 0 to 10000\n"

    login = browser.get("/admin/")
    assert (login.status, login.headers["Location"]) == (302, "/admin/login/?next=/admin/")
    forged = browser.post("/admin/login/", token="0" * 64, username="admin", password="change-me")
    assert (forged.status, "CSRF verification failed" in forged.text) == (403, True)
