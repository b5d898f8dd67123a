"""Every metric of the operator: name, type, help text. Rendered by the same page as those of the agent (metrics.py)."""

# The one list: a name that is not here cannot be written.
OPERATOR_METRICS: dict[str, tuple[str, str]] = {
    "operator_leader": ("gauge", "1: this operator decides; 0: another one does, and this one waits."),
    "operator_applications": ("gauge", "Applications that the operator knows."),
    "operator_pods": ("gauge", "Pods whose agents are polled."),
    "operator_reconciles_total": ("counter", "Reconciles, by result: ok, refused, failed."),
    "operator_reconcile_seconds_total": ("counter", "Time spent in reconciles."),
    "operator_due": ("gauge", "Applications waiting for work, by lane: spec, status."),
    "operator_decisions_total": ("counter", "Entries in the applications' histories, by kind and reason."),
    "operator_agents_unreachable": ("gauge", "Running pods whose agent has not answered for 15 s."),
    "operator_polls_total": ("counter", "Requests to agents, by result: ok, failed, incompatible, other_pod."),
    "operator_loop_lag_seconds": ("gauge", "How late the last turn of the event loop began."),
    "operator_writes_total": ("counter", "Writes to the API server, by verb and kind."),
    "operator_events_dropped_total": ("counter", "Events that could not be written."),
    "operator_tuning_errors_total": ("counter", "Planning steps that failed because of a bug in the operator."),
    "saturation": ("gauge", "Demand of an application's pods, as a share of what the best shape of them serves."),
    "operator_cpu_seconds_total": ("counter", "CPU time of the operator."),
    "operator_memory_bytes": ("gauge", "Resident memory of the operator."),
}
