"""examples/django: what its settings make of the environment, and what a cluster would make of its manifests."""

import stat
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from kubernetes.client import V1Job

from tests.importing import import_file

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.unit.resources.making import named, objects, pod_of
from uwsgi_autopilot.api.manifest import load_manifest
from uwsgi_autopilot.cli import main

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "django"
PAGE = (ROOT / "docs" / "django.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def environment() -> ModuleType:
    return import_file(EXAMPLE / "shop" / "environment.py")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param(
            {"DATABASE_URL": "postgresql://shop:s%2Fec%40ret@db.example.com:5433/shop?sslmode=require"},
            {
                "NAME": "shop",
                "USER": "shop",
                "PASSWORD": "s/ec@ret",
                "HOST": "db.example.com",
                "PORT": "5433",
                "OPTIONS": {"sslmode": "require"},
            },
            id="a URL, with percent signs and options",
        ),
        pytest.param(
            {"DATABASE_URL": "postgres://shop@/shop?host=/run/postgresql"},
            {"NAME": "shop", "USER": "shop", "HOST": "/run/postgresql", "PORT": "", "OPTIONS": {}},
            id="a socket, in the older spelling of the scheme",
        ),
        pytest.param({"PGHOST": "db", "PGDATABASE": "tea"}, {"NAME": "tea"}, id="the variables of libpq"),
        pytest.param({"PGHOST": "db"}, {"NAME": "shop"}, id="without a name"),
    ],
)
def test_postgresql_when_the_environment_names_one(environment, variables, expected) -> None:
    found = environment.database(variables, Path("db.sqlite3"))
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert (found["CONN_MAX_AGE"], found["CONN_HEALTH_CHECKS"]) == (60, True)
    assert expected.items() <= found.items()


def test_sqlite_otherwise_and_no_guess_at_other_databases(environment) -> None:
    assert environment.database({}, Path("db.sqlite3"))["ENGINE"] == "django.db.backends.sqlite3"
    with pytest.raises(Exception, match=r"DATABASE_URL: expected postgresql://..., found mysql://"):
        environment.database({"DATABASE_URL": "mysql://shop@db/shop"}, Path("db.sqlite3"))


def test_a_key_that_nobody_set_is_made_once_and_is_nobody_elses(environment, tmp_path) -> None:
    file = tmp_path / ".secret-key"
    key = environment.secret_key({}, file)
    assert len(key) >= 50
    assert environment.secret_key({}, file) == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_hosts_of_the_outside_need_a_key_that_all_machines_share(environment, tmp_path) -> None:
    outside = {"DJANGO_ALLOWED_HOSTS": "shop.example.com"}
    with pytest.raises(Exception, match="expected a DJANGO_SECRET_KEY"):
        environment.secret_key(outside, tmp_path / ".secret-key")
    assert environment.secret_key({**outside, "DJANGO_SECRET_KEY": "k"}, tmp_path / ".secret-key") == "k"


def manifest(name: str) -> dict:
    return yaml.safe_load((EXAMPLE / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["uwsgiapp.yaml", "kubernetes.yaml"])
def test_the_manifests_are_valid(name: str) -> None:
    """Unknown fields, types, bounds and rules: the CRD is made of the same models (tests/unit/api/test_crd.py)."""
    assert load_manifest(EXAMPLE / name).module == "shop.wsgi:application"


def test_the_migration_is_a_valid_job() -> None:
    """By the API's own description, of which the client's models are made: fields, types, what is required."""
    job = manifest("migrate.yaml")
    V1Job.model_validate(job)
    job["spec"]["template"]["spec"]["containers"][0]["commands"] = []
    with pytest.raises(ValueError, match="commands"):
        V1Job.model_validate(job)


def test_the_manifest_for_a_cluster_serves_what_the_one_for_a_machine_does() -> None:
    here, there = manifest("uwsgiapp.yaml")["spec"], manifest("kubernetes.yaml")["spec"]
    for field in ("module", "uwsgi", "nginx"):
        assert here[field] == there[field], field
    made = objects(**there)
    config = made["config"]["data"]
    assert "uwsgi_param HTTP_HOST shop.example.com;" in config["nginx.conf"]
    assert 'location "/static/" {' in config["nginx.conf"]
    pod = made["Deployment"]["spec"]["template"]["spec"]
    assert "/app/static" in named(pod["initContainers"], "static")["command"]


def test_the_doctor_has_nothing_to_object_to_as_the_page_asks_it(monkeypatch, capsys) -> None:
    command = "uwsgi-autopilot doctor uwsgiapp.yaml"
    assert command in PAGE
    monkeypatch.chdir(EXAMPLE)
    assert main(command.split()[1:]) == 0
    assert "nothing to object to" in capsys.readouterr().out


def test_the_health_checks_host_is_an_allowed_one(environment) -> None:
    assert manifest("uwsgiapp.yaml")["spec"]["health"]["host"] in environment.LOCAL_HOSTS
    spec = manifest("kubernetes.yaml")["spec"]
    assert spec["health"]["host"] in named(spec["env"], "DJANGO_ALLOWED_HOSTS")["value"].split(",")


def test_the_migration_runs_what_is_served_where_it_is_served() -> None:
    served, job = manifest("kubernetes.yaml")["spec"], manifest("migrate.yaml")
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["workingDir"]) == (served["image"], served["chdir"])
    assert container["envFrom"] == served["envFrom"]
    assert named(served["env"], container["env"][0]["name"]) == container["env"][0]
    assert f"job/{job['metadata']['name']} " in PAGE


def test_the_init_container_of_the_page_is_a_legal_overlay() -> None:
    (block,) = [text.split("```")[0] for text in PAGE.split("```yaml\n") if text.startswith("spec:\n  template:")]
    spec = {**manifest("kubernetes.yaml")["spec"], **yaml.safe_load(block)["spec"]}
    assert [each["name"] for each in pod_of(**spec)["initContainers"]] == ["migrate", "agent", "static"]


def test_the_page_and_the_dockerfile_do_what_the_requirements_and_settings_need() -> None:
    dockerfile = (EXAMPLE / "Dockerfile").read_text(encoding="utf-8")
    for step in ("-r requirements.txt", "python manage.py collectstatic --noinput"):
        assert step in dockerfile
        assert step in PAGE
    assert "DJANGO_SECRET_KEY=unused" in dockerfile
