"""docs/django.md, from its first command on: the shop of examples/django, served by what the page says."""

import http.client
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg
import pytest

from tests.component.examples.conftest import environment
from tests.component.examples.postgresql import ask
from tests.component.local.running import Local, report_of, wait_for

# Half a dozen commands that import Django, and two servers: long on a busy machine.
pytestmark = [pytest.mark.component, pytest.mark.timeout(480)]

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "django.md").read_text(encoding="utf-8")


def blocks(heading: str, language: str = "sh") -> list[list[str]]:
    """The commands of each block below a heading of the page."""
    section = re.split(r"^## ", PAGE.split(f"\n## {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    return [block.splitlines() for block in re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)]


(SERVE,) = blocks("Serve it")
(TUNE,) = blocks("Tune it")[0]
POSTGRESQL, OPEN_NOW = blocks("PostgreSQL and its connections")
((ROLE, DATABASE),) = blocks("PostgreSQL and its connections", "sql")
SERVING = "uwsgi-autopilot local uwsgiapp.yaml"


@pytest.fixture
def shop(tmp_path) -> Path:
    """A copy of the example as it is in the repository."""
    folder = tmp_path / "examples" / "django"
    ignored = shutil.ignore_patterns("__pycache__", "static", "db.sqlite3*", ".secret-key")
    shutil.copytree(
        ROOT / "examples" / "django",
        folder,
        ignore=lambda place, names: ignored(place, names) - ({"static"} if Path(place).name == "catalog" else set()),
    )
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
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, headers=headers)

    def post(self, path: str, **form: str) -> Answer:
        page = self.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert (page.status, bool(token)) == (200, True), page.text[:500]
        body = urlencode({"csrfmiddlewaretoken": token[1] if token else "", **form})
        return self._ask("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})

    def _ask(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=120)
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, {"Cookie": cookie, **(headers or {})})
        answer = connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie") or []:
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        text = answer.read().decode()
        connection.close()
        return Answer(answer.status, answer.headers, text)


def check_shop(server: Local) -> None:
    """Pages, static files, hosts, and the admin from the login to a product that everybody sees."""
    browser = Browser(server.url)
    home = browser.get("/")
    assert (home.status, "Green tea" in home.text, "Teapot" in home.text) == (200, True, True)
    assert "Green tea" not in browser.get("/?q=teapot").text
    assert "Teapot" in browser.get("/products/3/").text
    assert browser.get("/products/4000/").status == 404
    assert browser.get("/wait?ms=20").text == "waited 20 ms\n"
    assert browser.get("/wait?ms=x").status == 400

    (style,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', home.text)
    for path in (style, "/static/admin/css/base.css"):
        file = browser.get(path, Host="nobody.example.com")  # nginx's answer: Django would object to that Host
        assert (file.status, file.headers["Content-Type"]) == (200, "text/css")

    stranger = browser.get("/", Host="nobody.example.com")
    assert stranger.status == 400
    assert browser.get("/_autopilot/ready").status == 200

    assert browser.get("/admin/").status == 302
    entered = browser.post("/admin/login/?next=/admin/", username="admin", password="change-me")
    assert (entered.status, entered.headers["Location"]) == (302, "/admin/")
    added = browser.post("/admin/catalog/product/add/", name="Sugar tongs", price="12.30")
    assert added.status == 302, added.text
    assert "Sugar tongs" in Browser(server.url).get("/").text


def kept(server: Local, report: Path) -> dict:
    """The report of a run whose first change was kept."""
    server.says("kept 1x2", 240)
    assert server.end() == 0, server.err.read_text()
    told = report_of(report)
    assert told["failed"] == 0
    assert {each["kind"] for each in told["decisions"]} >= {"try", "promote"}
    return told


def test_the_shop_is_served_as_the_page_says_and_tuned(shop, serve) -> None:
    assert SERVE[-1] == SERVING
    run(SERVE[:-1], shop.parents[1])
    assert "nothing to object to" in run(["uwsgi-autopilot doctor uwsgiapp.yaml"], shop)
    server = serve(SERVE[-1], shop)
    server.served()
    check_shop(server)
    assert server.end() == 0, server.err.read_text()

    assert TUNE.startswith(SERVING)
    server = serve(TUNE.replace("--for 60s", ""), shop, "--shape 1x2")
    found = kept(server, shop / "found.json")
    assert found["shape"]["processes"] * found["shape"]["threads"] >= 16


def test_with_postgresql_it_opens_no_more_connections_than_the_manifest_allows(shop, serve, postgresql_url) -> None:
    """PostgreSQL itself refuses one more (CONNECTION LIMIT), and then a request would fail."""
    limited = ROLE.replace("CONNECTION LIMIT 84", "CONNECTION LIMIT 24")
    assert limited != ROLE
    ask(postgresql_url, limited)
    ask(postgresql_url, DATABASE)
    manifest = shop / "uwsgiapp.yaml"
    text = manifest.read_text()
    for ours, less in (("maxConnections: 80 ", "maxConnections: 24 "), ("threads: {max: 16} ", "threads: {max: 10} ")):
        assert ours in text
        text = text.replace(ours, less)
    manifest.write_text(text)

    url = postgresql_url.replace("postgres@/postgres", "shop:secret@/shop")
    name, migrate, serving = POSTGRESQL
    assert (name.split("=")[0], migrate in SERVE, serving) == ("export DATABASE_URL", True, SERVING)
    run(SERVE[:-1], shop.parents[1], DATABASE_URL=url)
    server = serve(serving, shop, DATABASE_URL=url)
    server.served()
    check_shop(server)
    assert server.end() == 0, server.err.read_text()

    load = "--shape 1x2 --load 'clients=48,path=/wait?ms=100' --report found.json"
    server = serve(serving, shop, load, DATABASE_URL=url)
    server.served()
    most = 0
    with psycopg.connect(postgresql_url, autocommit=True) as watching:

        def tuned() -> bool:
            nonlocal most
            row = watching.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop'").fetchone()
            most = max(most, row[0] if row else 0)
            return "kept 1x2" in server.out.read_text() or server.process.poll() is not None

        wait_for(tuned, 240)
    found = kept(server, shop / "found.json")
    assert 2 < most <= 24
    assert found["shape"]["threads"] <= 10
    assert "count" in run(OPEN_NOW, shop, DATABASE_URL=url)
    assert not (shop / "db.sqlite3").exists()
