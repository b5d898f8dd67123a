"""What a test asks the PostgreSQL that bench/postgresql.py starts."""

import psycopg


def ask(url: str, question: str) -> object:
    """The first value of the answer; None where there is none."""
    with psycopg.connect(url, autocommit=True) as connection:
        answer = connection.execute(question)
        row = answer.fetchone() if answer.description else None
    return row[0] if row else None
