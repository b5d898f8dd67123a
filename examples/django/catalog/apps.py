import time

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class Catalog(AppConfig):
    name = "catalog"

    def ready(self) -> None:
        connection_created.connect(give_sqlite_a_sleep)


def give_sqlite_a_sleep(connection, **_) -> None:
    """PostgreSQL has pg_sleep(seconds); for this example, so has SQLite."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("pg_sleep", 1, time.sleep)
