"""What an overlay may not ask for unless a cluster's administrator allows it: what Pod Security `baseline` refuses, and
root, a node of its own choice and a system's priority.

The chart's ValidatingAdmissionPolicy refuses the same of whoever has the operator's token
(chart/templates/operator/policy.yaml); here is the sentence for the author of a manifest. What the chart's own template
asks for, the administrator has decided.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from uwsgi_autopilot.api.words import found

Body = Mapping[str, Any]
Asked = tuple[str, str]
"""Path in the pod template, and what is found there."""

# Of Pod Security `baseline`.
CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
    }
)  # fmt: skip
SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
HOOKS = (
    ("livenessProbe",),
    ("readinessProbe",),
    ("startupProbe",),
    ("lifecycle", "postStart"),
    ("lifecycle", "preStop"),
)
# The older way to say securityContext.appArmorProfile.
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def refused(ours: Body, pod: Body, allowed: frozenset[str]) -> list[tuple[str, str]]:
    """(path in the overlay, sentence) for each privilege that the pod has with the overlay and not without it."""
    problems = []
    for privilege in [name for name in PRIVILEGES if name not in allowed]:
        asked = PRIVILEGES[privilege]
        known = set(asked(ours))
        sentence = f"which is refused unless the chart's value policy.allow.{privilege} is true"
        added = [each for each in dict.fromkeys(asked(pod)) if each not in known]
        problems += [(path, f"found {what}, {sentence}") for path, what in added]
    return problems


def _host_namespaces(pod: Body) -> Iterator[Asked]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if _spec(pod).get(field):
            yield f"spec.{field}", found(_spec(pod)[field])


def _host_path(pod: Body) -> Iterator[Asked]:
    for volume in _list(_spec(pod), "volumes"):
        if volume.get("hostPath") is not None:
            yield f"spec.volumes[{volume.get('name')}].hostPath", found(_map(volume, "hostPath").get("path"))


def _host_ports(pod: Body) -> Iterator[Asked]:
    for where, container in _containers(pod):
        for port in _list(container, "ports"):
            if port.get("hostPort"):
                yield f"{where}.ports[{port.get('containerPort')}].hostPort", found(port["hostPort"])


def _privileged(pod: Body) -> Iterator[Asked]:
    for where, context in _contexts(pod):
        if context.get("privileged"):
            yield f"{where}.privileged", found(context["privileged"])
        added = _map(context, "capabilities").get("add")
        for name in added if isinstance(added, list) else ():
            if name not in CAPABILITIES:
                yield f"{where}.capabilities.add", found(name)
        if context.get("procMount") not in (None, "Default"):
            yield f"{where}.procMount", found(context["procMount"])
        for field in ("seccompProfile", "appArmorProfile"):
            if _map(context, field).get("type") == "Unconfined":
                yield f"{where}.{field}.type", found("Unconfined")
        labels = _map(context, "seLinuxOptions")
        for field, value in labels.items():
            if (field in ("user", "role") and value) or (field == "type" and (value or "") not in SELINUX_TYPES):
                yield f"{where}.seLinuxOptions.{field}", found(value)
        for sysctl in _list(context, "sysctls"):
            if sysctl.get("name") not in SYSCTLS:
                yield f"{where}.sysctls", found(sysctl.get("name"))
        if _map(context, "windowsOptions").get("hostProcess"):
            yield f"{where}.windowsOptions.hostProcess", found(True)
    for where, container in _containers(pod):
        for hook in HOOKS:
            body = container
            for field in hook:
                body = _map(body, field)
            for kind in ("httpGet", "tcpSocket"):
                # The kubelet asks it, from the node.
                if host := _map(body, kind).get("host"):
                    yield f"{where}.{'.'.join(hook)}.{kind}.host", found(host)
    for key, value in _map(_map(pod, "metadata"), "annotations").items():
        if str(key).startswith(APPARMOR):
            yield f"metadata.annotations[{key}]", found(value)


def _root(pod: Body) -> Iterator[Asked]:
    every = _map(_spec(pod), "securityContext").get("runAsNonRoot")
    if every is not True:
        yield "spec.securityContext.runAsNonRoot", found(every)
    for where, context in _contexts(pod):
        if context.get("runAsUser") == 0:
            yield f"{where}.runAsUser", found(0)
        if context.get("runAsNonRoot") is False:
            yield f"{where}.runAsNonRoot", found(False)


def _node_name(pod: Body) -> Iterator[Asked]:
    if _spec(pod).get("nodeName"):
        yield "spec.nodeName", found(_spec(pod)["nodeName"])


def _system_priority(pod: Body) -> Iterator[Asked]:
    name = _spec(pod).get("priorityClassName")
    if str(name or "").startswith("system-"):
        yield "spec.priorityClassName", found(name)


# By the name of the chart's value that allows it.
PRIVILEGES: Mapping[str, Callable[[Body], Iterator[Asked]]] = {
    "hostNamespaces": _host_namespaces,
    "hostPath": _host_path,
    "hostPorts": _host_ports,
    "privileged": _privileged,
    "root": _root,
    "nodeName": _node_name,
    "systemPriority": _system_priority,
}


# --- whatever an overlay may have put there: what is of a wrong type, the API server refuses


def _map(body: Body, field: str) -> Body:
    value = body.get(field)
    return value if isinstance(value, dict) else {}


def _list(body: Body, field: str) -> list[Body]:
    value = body.get(field)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _spec(pod: Body) -> Body:
    return _map(pod, "spec")


def _containers(pod: Body) -> Iterator[tuple[str, Body]]:
    for field in ("containers", "initContainers"):
        for container in _list(_spec(pod), field):
            yield f"spec.{field}[{container.get('name')}]", container


def _contexts(pod: Body) -> Iterator[tuple[str, Body]]:
    yield "spec.securityContext", _map(_spec(pod), "securityContext")
    for where, container in _containers(pod):
        yield f"{where}.securityContext", _map(container, "securityContext")
