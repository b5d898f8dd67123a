"""Every metric of the operator: name, type, help text. controller/counters.py writes them."""

# The one list: a name that is not here cannot be written.
OPERATOR_METRICS: dict[str, tuple[str, str]] = {
    "operator_leader": ("gauge", "1: this operator decides; 0: another one does, and this one waits."),
    "operator_applications": ("gauge", "Applications that the operator knows."),
    "operator_pods": ("gauge", "Pods whose agents are polled."),
    "operator_reconcile_seconds": ("histogram", "Time of a reconcile, by result: ok, refused, failed."),
    "operator_due": ("gauge", "Applications waiting for work, by lane: spec, status."),
    "operator_decisions_total": ("counter", "Entries in an application's history, by kind and reason."),
    "operator_application_pods": ("gauge", "Pods of an application whose agents are polled."),
    "operator_application_agents_unreachable": ("gauge", "Those of them whose agent has not answered for 15 s."),
    "operator_application_reconciled": ("gauge", "1: its objects are what its manifest asks for; 0: they cannot be."),
    "operator_application_processes": ("gauge", "Processes of the shape that was promoted for it."),
    "operator_application_threads": ("gauge", "Threads of the shape that was promoted for it."),
    "operator_agents_unreachable": ("gauge", "Running pods whose agent has not answered for 15 s."),
    "operator_polls_total": ("counter", "Requests to agents, by result: ok, failed, incompatible, other_pod."),
    "operator_loop_lag_seconds": ("gauge", "How late the last turn of the event loop began."),
    "operator_template_rollout": (
        "gauge",
        "Applications that have not taken over the chart's newest pod template: waiting, rolling, failed, or held by "
        "their manifest.",
    ),
    "operator_writes_total": ("counter", "Writes to the API server, by verb and kind."),
    "operator_events_dropped_total": ("counter", "Events that could not be written."),
    "operator_tuning_errors_total": ("counter", "Planning steps that failed because of a bug in the operator."),
    "saturation": ("gauge", "Demand of an application's pods, as a share of what the best shape of them serves."),
    "operator_cpu_seconds_total": ("counter", "CPU time of the operator."),
    "operator_memory_bytes": ("gauge", "Resident memory of the operator."),
}
