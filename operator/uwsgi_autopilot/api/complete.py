"""Turn a checked manifest, with defaults filled in, into the values that the programs use."""

from typing import Any

from uwsgi_autopilot.api.nginxspec import AccessLog, NginxSpec, RealIp, StaticFiles
from uwsgi_autopilot.api.overlap import why_no_swap
from uwsgi_autopilot.api.quantity import cores, parse_duration, whole_bytes
from uwsgi_autopilot.api.rule import values_at
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import (
    START,
    Bounds,
    HealthSpec,
    Mode,
    ProcessBounds,
    ResourceLimits,
    TuningSpec,
    UwsgiApp,
    UwsgiOption,
)
from uwsgi_autopilot.api.words import written

# Fields with a meaning only on a cluster.
CLUSTER_ONLY = (
    "spec.image",
    "spec.imagePullPolicy",
    "spec.imagePullSecrets",
    "spec.chdir",
    "spec.python",
    "spec.replicas",
    "spec.env[].valueFrom",
    "spec.envFrom",
    "spec.service",
    "spec.commonMetadata",
    "spec.rollout",
    "spec.template",
)


def ignored_in(data: Any) -> tuple[str, ...]:
    """The paths of fields that are set in a manifest but not used by local mode."""
    return tuple(
        written(path) for each in CLUSTER_ONLY for path, value in values_at(data, each) if value not in (None, [], {})
    )


def app_of(data: dict[str, Any], ignored: tuple[str, ...]) -> UwsgiApp:
    """`data` satisfies every rule; anything else is an error of the caller."""
    spec = data["spec"]
    limits = spec["resources"]["limits"]
    options = tuple(UwsgiOption(name=each["name"], value=each.get("value")) for each in spec["uwsgi"]["options"])
    return UwsgiApp(
        name=data["metadata"]["name"],
        module=spec["module"],
        image=spec.get("image"),
        chdir=spec.get("chdir"),
        env=tuple((each["name"], each.get("value", "")) for each in spec["env"] if "valueFrom" not in each),
        health=HealthSpec(path=spec["health"]["path"], host=spec["health"]["host"]),
        limits=ResourceLimits(
            cpu=cores(limits["cpu"]) if "cpu" in limits else None,
            memory=whole_bytes(limits["memory"]) if "memory" in limits else None,
        ),
        options=options,
        nginx=_nginx(spec["nginx"]),
        tuning=_tuning(spec["tuning"], options),
        ignored=ignored,
    )


def _nginx(nginx: dict[str, Any]) -> NginxSpec:
    real_ip = nginx.get("realIp")
    return NginxSpec(
        body_size_bytes=whole_bytes(nginx["bodySize"]),
        header_size_bytes=whole_bytes(nginx["headerSize"]),
        read_timeout_s=parse_duration(nginx["readTimeout"]),
        access_log=AccessLog(nginx["accessLog"]) if "accessLog" in nginx else None,
        gzip=nginx["gzip"],
        headers=tuple((each["name"], each["value"]) for each in nginx["headers"]),
        streaming=tuple(dict.fromkeys(path.rstrip("/") for path in nginx["streaming"])),
        static=_files(nginx["static"]),
        internal=_files(nginx["internal"]),
        real_ip=RealIp(trusted=tuple(real_ip["from"]), header=real_ip["header"], recursive=real_ip["recursive"])
        if real_ip
        else None,
        snippet=nginx.get("snippet", ""),
    )


def _files(entries: list[dict[str, str]]) -> tuple[StaticFiles, ...]:
    return tuple(StaticFiles(path=each["path"].rstrip("/"), dir=each["dir"]) for each in entries)


def _tuning(tuning: dict[str, Any], options: tuple[UwsgiOption, ...]) -> TuningSpec:
    processes, threads = ProcessBounds(**tuning["processes"]), Bounds(**tuning["threads"])
    if "start" in tuning:
        start = Shape(**tuning["start"])
    else:
        start = Shape(processes.clamp(START.processes), threads.clamp(START.threads))
    pin = Shape(**tuning["pin"]) if "pin" in tuning else None
    if why_no_swap((each.name, each.value) for each in options):
        # Other threads need a second generation, in which a cron job or a daemon would run twice.
        threads = Bounds(min=(pin or start).threads, max=(pin or start).threads)
    return TuningSpec(
        mode=Mode(tuning["mode"]),
        start=start,
        pin=pin,
        processes=processes,
        threads=threads,
        max_connections=tuning.get("maxConnections"),
        connections_per_process=tuning.get("connectionsPerProcess"),
        memory_guard=tuning["memoryGuard"],
        parking=tuning["parking"],
    )
