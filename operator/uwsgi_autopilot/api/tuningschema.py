"""`spec.tuning` of a UwsgiApp."""

from typing import Literal

from pydantic import Field

from uwsgi_autopilot.api.fields import INT32, Fields


class ShapeFields(Fields):
    processes: int = Field(ge=1, le=1024, description="Live uWSGI workers.")
    threads: int = Field(ge=1, le=1024, description="Threads of each worker.")


class ProcessBounds(Fields):
    min: int = Field(1, ge=1, le=1024, description="Never fewer processes than this.")
    # No default in the schema: no manifest knows the cores of the node.
    max: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Never more processes than this. 4 for each core, and at least 16, when absent.",
    )


class ThreadBounds(Fields):
    min: int = Field(1, ge=1, le=1024, description="Never fewer threads per process than this.")
    max: int = Field(64, ge=1, le=1024, description="Never more threads per process than this.")


class Tuning(Fields):
    # YAML reads a bare Off as false, so the word is Disabled.
    mode: Literal["Auto", "Recommend", "Disabled"] = Field(
        "Auto",
        description="Auto: change the shape. Recommend: only say what would be changed and why. Disabled: neither.",
    )
    # No default in the schema: written as one, 2x4 would contradict `processes: {max: 1}`.
    start: ShapeFields | None = Field(
        None, description="Shape of the first pod; 2 processes of 4 threads when absent, moved into the bounds."
    )
    pin: ShapeFields | None = Field(None, description="Keep exactly this shape. Remove it to let the autopilot decide.")
    processes: ProcessBounds = Field(default_factory=ProcessBounds, description="Bounds for the processes.")
    threads: ThreadBounds = Field(default_factory=ThreadBounds, description="Bounds for the threads per process.")
    max_connections: int | None = Field(
        None, ge=1, le=INT32, description="Connections that all pods together may open to a database or the like."
    )
    connections_per_process: int | None = Field(
        None,
        ge=1,
        le=INT32,
        description="Connections that one process opens, the size of its pool; threads when absent.",
    )
    memory_guard: bool = Field(
        True,
        description="True, in every mode: what leaks is replaced by a fresh generation before memory runs out.",
    )
    parking: bool = Field(
        False,
        description="True, in every mode: workers that the load does not need end, and are back when it grows.",
    )
