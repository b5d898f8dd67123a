"""A page of Flask and SQLAlchemy as they come, with a pool for each process: 20 rows are read and shown, and one
request in twenty orders one of them. Where the database is comes in BENCH_DATABASE; the bench has filled it before."""

import os
import random

from flask import Flask
from sqlalchemy import ForeignKey, create_engine, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

GOODS = 2000
KINDS = 100
ORDERS = 0.05


class Base(DeclarativeBase):
    pass


class Good(Base):
    __tablename__ = "goods"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[int] = mapped_column(index=True)
    cents: Mapped[int]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    good: Mapped[int] = mapped_column(ForeignKey("goods.id"))


def fill(url: str) -> None:
    """Make the tables, before anybody is served."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        rows = [{"name": f"good {n}", "kind": n % KINDS, "cents": 100 + n} for n in range(GOODS)]
        connection.execute(insert(Good), rows)
    engine.dispose()


def create() -> Flask:
    """Raises KeyError without BENCH_DATABASE. It opens no connection: processes that are forked must share none."""
    url = os.environ["BENCH_DATABASE"]
    # SQLite: who finds the file locked waits for it, for up to so many seconds.
    engine = create_engine(url, connect_args={"timeout": 30} if url.startswith("sqlite") else {})
    app = Flask(__name__)

    @app.get("/")
    def shop() -> str:
        with Session(engine) as session:
            goods = session.scalars(select(Good).where(Good.kind == random.randrange(KINDS)).order_by(Good.cents)).all()
            page = "".join(f"<li>{good.name}: {good.cents / 100:.2f}</li>" for good in goods)
            if random.random() < ORDERS:
                session.add(Order(good=random.choice(goods).id))
                session.commit()
        return f"<ul>{page}</ul>"

    return app
