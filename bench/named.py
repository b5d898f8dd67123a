"""The workloads with names: what a request costs and how many clients ask, one line each."""

from dataclasses import replace
from pathlib import Path

from bench.parameters import FOLDER, MODULE, Parameters
from bench.workload import Database, Workload

MIB = 1024 * 1024


def synthetic(name: str, parameters: Parameters, *, clients: int = 64) -> Workload:
    return Workload(name=name, folder=FOLDER, module=MODULE, path="/", clients=clients, parameters=parameters)


def _database(name: str, database: Database) -> Workload:
    folder = Path(__file__).resolve().parent / "database"
    return Workload(name=name, folder=folder, module="app:create()", path="/", clients=32, database=database)


def _mix(wait_ms: float, cpu_ms: float, other: Parameters | None = None) -> Parameters:
    return Parameters(wait_ms=wait_ms, cpu_ms=cpu_ms, other=other)


def _pool(size: int, *, wait_ms: float = 30, cpu_ms: float = 0) -> Parameters:
    return Parameters(wait_ms=wait_ms, cpu_ms=cpu_ms, pool=size)


ALL: dict[str, Workload] = {
    each.name: each
    for each in (
        synthetic("cpu", Parameters(cpu_ms=5), clients=32),
        synthetic("native", Parameters(native_ms=5), clients=32),
        synthetic("tiny", Parameters()),
        synthetic("io", Parameters(wait_ms=100)),
        synthetic("mixed", _mix(20, 2)),
        synthetic("50+5", _mix(50, 5)),
        synthetic("10+4", _mix(10, 4.4)),
        synthetic("37+6.8", _mix(37, 6.8)),
        synthetic("35+1.5", _mix(35, 1.5)),
        synthetic("bimodal", Parameters(wait_ms=2, cpu_ms=1, slow_share=0.1, slow_wait_ms=300)),
        synthetic("pool", _pool(3)),
        synthetic("pool-2", _pool(2)),
        synthetic("pool-8", _pool(8)),
        synthetic("pool-2-cpu", _pool(2, cpu_ms=1)),
        synthetic("pool-3-cpu", _pool(3, cpu_ms=1)),
        synthetic("pool-4-cpu", _pool(4, wait_ms=20, cpu_ms=1)),
        synthetic("pool-8-cpu", _pool(8, cpu_ms=1)),
        synthetic("limit-8", Parameters(wait_ms=20, cpu_ms=1, limit=8)),
        synthetic("degrading", Parameters(wait_ms=20, cpu_ms=1, degrades_from=12)),
        synthetic("large", Parameters(wait_ms=20, cpu_ms=1, answer_bytes=250_000)),
        synthetic("import", Parameters(wait_ms=20, cpu_ms=2, import_s=10)),
        # Six processes fit, and during a change the old ones and the new ones together.
        replace(synthetic("memory", Parameters(wait_ms=20, cpu_ms=2, memory_mb=150)), memory=1200 * MIB),
        synthetic("failing", Parameters(wait_ms=20, cpu_ms=2, error_share=0.3)),
        replace(synthetic("retrying", Parameters(wait_ms=20, cpu_ms=2, error_share=0.05)), timeout_s=1, retries=3),
        replace(synthetic("two-routes", _mix(5, 4, other=_mix(100, 0.5))), shares=(0.25, 0.75)),
        replace(synthetic("streaming", Parameters(wait_ms=20, cpu_ms=2, stream_s=30)), streams=16),
        replace(synthetic("poisson", _mix(20, 2)), open_share=0.7),
        _database("sqlite", Database.SQLITE),
        _database("postgresql", Database.POSTGRESQL),
    )
}

# screen: the quick look of `make bench`. gating: three runs each in `make bench-full`, and the tuner's figures hold.
SETS: dict[str, tuple[str, ...]] = {
    "screen": ("cpu", "io", "mixed", "pool"),
    "gating": ("cpu", "native", "io", "mixed", "10+4", "pool-3-cpu", "bimodal", "degrading"),
    "all": tuple(ALL),
}
