"""What the source of one module does while it is imported, found without importing it: pure."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

# They connect when they are called.
CONNECT = frozenset({
    "psycopg.connect", "psycopg2.connect", "pymysql.connect", "MySQLdb.connect", "mysql.connector.connect",
    "pyodbc.connect", "oracledb.connect", "pymssql.connect", "pika.BlockingConnection", "psycopg.Connection.connect",
    "psycopg2.pool.SimpleConnectionPool", "psycopg2.pool.ThreadedConnectionPool",
})  # fmt: skip
# They connect when first used.
POOL = frozenset({
    "sqlalchemy.create_engine", "sqlmodel.create_engine", "sqlalchemy.engine_from_config",
    "flask_sqlalchemy.SQLAlchemy",
})  # fmt: skip
# They start a thread when they are made: monitors, senders, those that keep a pool filled.
RUNNING = frozenset({
    "pymongo.MongoClient", "psycopg_pool.ConnectionPool", "kafka.KafkaProducer", "confluent_kafka.Producer",
})  # fmt: skip
# They start one when they are told to.
STARTED = frozenset({
    "threading.Thread", "threading.Timer", "apscheduler.schedulers.background.BackgroundScheduler",
})  # fmt: skip
# They start theirs with the first task, and again in a process that was forked.
LATER = frozenset({"concurrent.futures.ThreadPoolExecutor", "multiprocessing.pool.ThreadPool", "sentry_sdk.init"})
_ALL = CONNECT | POOL | RUNNING | STARTED | LATER
# Of an engine: what opens a connection.
_QUERIES = frozenset({"connect", "begin", "execute", "create_all", "drop_all", "reflect", "raw_connection", "scalar"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """at_import: outside any function. used: and it takes effect then: a thread is started, an engine is used."""

    name: str
    line: int
    at_import: bool
    used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """imports: absolute names of modules that are loaded with this one; `from a import b` gives a and a.b.
    options: names that it reads from `uwsgi.opt`."""

    calls: tuple[Call, ...]
    imports: tuple[str, ...]
    options: frozenset[str] = frozenset()


def read_source(text: str, package: str) -> Source:
    """package: that the module is in, for relative imports; "" for none. Raises SyntaxError or ValueError."""
    tree = ast.parse(text)
    aliases: dict[str, str] = {}
    imports: list[str] = []
    for node, outside in _walk(tree, outside=True):
        for local, bound, modules in _imported(node, package):
            aliases[local] = bound
            if outside:
                imports += modules
    calls: dict[ast.Call, Call] = {}
    made: dict[str, ast.Call] = {}
    for node, outside in _walk(tree, outside=True):
        if isinstance(node, ast.Call):
            name = _dotted(node.func, aliases)
            if name in _ALL:
                calls[node] = Call(name=name, line=node.lineno, at_import=outside)
        if outside and isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            made |= {target.id: node.value for target in targets if isinstance(target, ast.Name)}
    for node, outside in _walk(tree, outside=True):
        if not outside or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        for subject in (node.func.value, *node.args, *(word.value for word in node.keywords)):
            origin = made.get(subject.id) if isinstance(subject, ast.Name) else subject
            call = calls.get(origin) if isinstance(origin, ast.Call) else None
            if call is not None and _takes_effect(call.name, node.func.attr, subject is node.func.value):
                assert isinstance(origin, ast.Call)
                calls[origin] = Call(name=call.name, line=call.line, at_import=call.at_import, used=True)
    return Source(
        calls=tuple(calls.values()),
        imports=tuple(dict.fromkeys(name for name in imports if name)),
        options=frozenset(name for node, _ in _walk(tree, outside=True) for name in _option_of(node)),
    )


def _takes_effect(name: str, method: str, own: bool) -> bool:
    """own: a method of the object itself, not one that it was passed to."""
    return own and method == "start" if name in STARTED else name in POOL and method in _QUERIES


def _option_of(node: ast.AST) -> list[str]:
    """`uwsgi.opt["name"]` and `uwsgi.opt.get("name")`"""
    if isinstance(node, ast.Subscript):
        table, keys = node.value, [node.slice]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        table, keys = node.func.value, node.args[:1]
    else:
        return []
    if not isinstance(table, ast.Attribute) or table.attr != "opt":
        return []
    return [
        each.value.decode("utf-8", "replace") if isinstance(each.value, bytes) else each.value
        for each in keys
        if isinstance(each, ast.Constant) and isinstance(each.value, str | bytes)
    ]


def _walk(node: ast.AST, *, outside: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it is executed when the module is imported."""
    for child in ast.iter_child_nodes(node):
        yield child, outside
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _is_main(child)
        yield from _walk(child, outside=outside and not inside)


def _is_main(node: ast.AST) -> bool:
    """`if __name__ == "__main__":`"""
    return isinstance(node, ast.If) and any(
        isinstance(each, ast.Name) and each.id == "__name__" for each in ast.walk(node.test)
    )


def _imported(node: ast.AST, package: str) -> list[tuple[str, str, list[str]]]:
    """(name in this module, what it stands for, modules that are loaded)"""
    if isinstance(node, ast.Import):  # `import a.b` binds a, `import a.b as c` binds a.b
        return [
            (each.asname or each.name.partition(".")[0], each.name if each.asname else each.name.partition(".")[0],
             [each.name])
            for each in node.names
        ]  # fmt: skip
    if not isinstance(node, ast.ImportFrom):
        return []
    parts = package.split(".") if package and node.level else []
    parts = parts[: len(parts) - max(0, node.level - 1)]
    origin = ".".join([*parts, *([node.module] if node.module else [])])
    names = [(each.asname or each.name, f"{origin}.{each.name}" if origin else each.name) for each in node.names]
    return [(local, bound, [origin, bound]) for local, bound in names]


def _dotted(node: ast.expr, aliases: dict[str, str]) -> str:
    """`pg.connect` as "psycopg.connect"; "" when it is no plain name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in aliases:
        return ""
    return ".".join([aliases[node.id], *reversed(parts)])
