"""What differs between two machines comes from the environment: the database, the secret key, the hosts."""

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]


def words(text: str) -> list[str]:
    """Of a list with commas between."""
    return [word.strip() for word in text.split(",") if word.strip()]


def secret_key(environment: Mapping[str, str], file: Path) -> str:
    """DJANGO_SECRET_KEY. While only local hosts are allowed, a random key in `file` serves as well.

    Every process, and every generation of them, must have the same key: sessions and forms are signed with it. Hosts
    of the outside mean several machines or containers, and these share no file.
    """
    if key := environment.get("DJANGO_SECRET_KEY"):
        return key
    if environment.get("DJANGO_ALLOWED_HOSTS"):
        raise ImproperlyConfigured("beside DJANGO_ALLOWED_HOSTS expected a DJANGO_SECRET_KEY of its own, found none")
    if not file.exists():
        # Whole or not at all, and never twice, also if several processes start at the same time.
        mine = file.with_name(f"{file.name}-{os.getpid()}")
        mine.touch(mode=0o600)
        mine.write_text(secrets.token_urlsafe(50))
        with contextlib.suppress(FileExistsError):
            os.link(mine, file)
        mine.unlink()
    return file.read_text()


def database(environment: Mapping[str, str], file: Path) -> dict[str, Any]:
    """PostgreSQL if DATABASE_URL or PGHOST is there, else SQLite in `file`.

    DATABASE_URL is postgresql://user:password@host:5432/name?sslmode=require; a socket's directory is ?host=/run/...
    Beside PGHOST, libpq reads PGPORT, PGUSER, PGPASSWORD, ... by itself.
    """
    if url := environment.get("DATABASE_URL"):
        parts = urlsplit(url)
        if parts.scheme not in ("postgres", "postgresql"):
            raise ImproperlyConfigured(f"DATABASE_URL: expected postgresql://..., found {parts.scheme}://...")
        options = dict(parse_qsl(parts.query))
        return {
            **postgresql(environment),
            "NAME": unquote(parts.path.removeprefix("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": options.pop("host", parts.hostname or ""),
            "PORT": options.pop("port", str(parts.port or "")),
            "OPTIONS": options,
        }
    if environment.get("PGHOST"):
        return {**postgresql(environment), "NAME": environment.get("PGDATABASE", "shop")}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": file,
        # Readers do not wait for a writer (WAL), and writers wait for each other instead of failing at once.
        "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL", "transaction_mode": "IMMEDIATE", "timeout": 20},
    }


def postgresql(environment: Mapping[str, str]) -> dict[str, Any]:
    """Each thread keeps its connection for so many seconds, and asks it before use: it may have died meanwhile."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": int(environment.get("DJANGO_CONN_MAX_AGE", "60")),
        "CONN_HEALTH_CHECKS": True,
    }
