"""UwsgiApps from the schema of the CRD: mostly such as a person could write, each perhaps with a field that is not.

Values that reach the rules and the objects behind them are seldom drawn out of nothing. So texts come from a list by
the name of their field: good ones, and now and then one that is more than a text to uWSGI, nginx or YAML.
"""

from typing import Any

from hypothesis import strategies as st

from uwsgi_autopilot.api import schema
from uwsgi_autopilot.api.jsonschema import Schema

SPEC: Schema = schema.json_schema()["properties"]["spec"]
ODD_TEXTS = [
    *(
        "",
        " ",
        "a b",
        "a\nb",
        "\0",
        "'",
        '"',
        "\\",
        "$x",
        "${x}",
        "%(x)",
        "#",
        ";",
        "{",
        "}",
        "~",
        "@x",
        "../x",
        "\u2028",
    ),
    *("\U0001f600", "-", "--x", "null", "true", "1e999", "x" * 300),
]
# Of a field, or of a field in one place. Two of the same in a list are refused for most of them, so there are several.
TEXTS: dict[str, list[str]] = {
    "image": ["shop:1.4", "registry.example.com:5000/team/shop@sha256:" + "a" * 64],
    "module": ["wsgi:app", "wsgi", "shop.wsgi:make", "shop.settings.wsgi:application"],
    "chdir": ["/app", "/", "/srv/x y", "/srv/\u00e9", "/a%d", "/a;b#c"],
    "python": ["python3", "/venv/bin/python"],
    "name": ["shop", "shop-settings"],
    "env.name": ["A", "DEBUG", "PASSWORD", "_x", "a.b"],
    "headers.name": ["X-Frame-Options", "Content-Security-Policy", "Strict-Transport-Security"],
    "options.name": [
        "lazy-apps",
        "buffer-size",
        "harakiri",
        "max-requests",
        "log-x-forwarded-for",
        "static-map",
        "post-buffering",
    ],
    "options.value": ["1", "true", "false", "8192", "/a=/b", "65535", "a%(b)", "x;y", "$(A)"],
    "value": ["1", "a=b", "%v", "$(A)", "default-src 'self'", "a\nb", 'say "a"', "back\\slash", "$host", "{", "#"],
    "key": ["password"],
    "fieldPath": ["metadata.name", "status.podIP"],
    "resource": ["limits.cpu"],
    "prefix": ["SHOP_"],
    "path": ["/", "/up", "/a?b=c", "/\u00e9"],
    "static.path": ["/static/", "/media", "/a/b/", "/a b/", "/\u00e9/", "/a%20b", "/{a}", "/a;b", "/a'b", "/$x"],
    "internal.path": ["/private", "/files/", "/protected/\u00e9"],
    "dir": ["static", "/srv/static", "/srv/a b", "a/../b", ".", "/srv/\u00e9", "/srv/%x", "/srv/a'b"],
    "host": ["shop.example", "localhost:8080"],
    "bodySize": ["10Mi", "0", "1Gi", "512Ki", "1.5Mi"],
    "headerSize": ["8Ki", "16Ki", "60Ki", "1Ki"],
    "readTimeout": ["60s", "5m", "1h", "1m30s"],
    "header": ["X-Forwarded-For", "X-Real-IP", "proxy_protocol"],
    "from": ["10.0.0.0/8", "fd00::/8", "127.0.0.1", "::1", "10.1.2.3/8"],
    "streaming": ["/events", "/ws/", "/a b", "/\u00e9", "/{x}"],
    "snippet": ["location /x { return 204; }", "add_header X-A b;", "# only a comment", "}", "include /etc/passwd;"],
    "cpu": ["100m", "2", "0.5"],
    "memory": ["128Mi", "1Gi", "1e9"],
    "divisor": ["1"],
}
ANY_TEXT = st.sampled_from(ODD_TEXTS) | st.text(max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e6, 1e6) | ANY_TEXT
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3), max_leaves=8
)
ONE_IN_25 = st.integers(0, 24).map(lambda number: number == 24)


def text_of(draw: st.DrawFn, name: str, parent: str) -> str:
    if draw(ONE_IN_25):
        return draw(ANY_TEXT)
    return draw(st.sampled_from(TEXTS.get(f"{parent}.{name}") or TEXTS.get(name, ["a"])))


def some_of(draw: st.DrawFn, names: list[str], most: int) -> list[str]:
    """At most so many of them: with all fields nothing would be valid."""
    if not names:
        return []
    return list(dict.fromkeys(draw(st.lists(st.sampled_from(names), max_size=most))))


def like(draw: st.DrawFn, node: Schema, name: str, parent: str = "") -> Any:
    """A value that fits this part of the schema, as far as the schema says so."""
    if "enum" in node:
        return draw(st.sampled_from(node["enum"]))
    kind = node.get("type")
    if kind == "object" and node.get("properties"):
        of, required = node["properties"], list(node.get("required", ()))
        names = some_of(draw, [each for each in of if each not in (*required, "template")], 5 if name == "spec" else 3)
        return {each: like(draw, of[each], each, name) for each in (*required, *names)}
    if kind == "object":
        return draw(
            st.dictionaries(st.sampled_from(["example.com/a", "b"]), st.sampled_from(TEXTS["value"]), max_size=2)
        )
    if kind == "array":
        return [like(draw, node["items"], name) for _ in range(draw(st.integers(max(1, node.get("minItems", 0)), 2)))]
    if kind == "boolean":
        return draw(st.booleans())
    if kind == "integer":
        least, most = node.get("minimum", 0), node.get("maximum", 2**31)
        return draw(st.integers(least, most) if draw(ONE_IN_25) else st.integers(least, min(most, least + 12)))
    return text_of(draw, name, parent)


CONTAINERS = st.sampled_from(["app", "nginx", "agent", "sidecar", "app"])
CONTAINER_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "image": st.sampled_from(["nginx:1", "side:1"]),
    "command": st.just(["sh", "-c", "sleep 1"]),
    "env": st.lists(
        st.fixed_dictionaries({"name": st.sampled_from(["A", "AUTOPILOT_POD_UID"]), "value": ANY_TEXT}), max_size=2
    ),
    "ports": st.lists(st.fixed_dictionaries({"containerPort": st.integers(1, 70000)}), max_size=2),
    "resources": st.sampled_from([{"limits": {"memory": "64Mi"}}, {"requests": {"cpu": 1}}, None]),
    "volumeMounts": st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["data", "run"]), "mountPath": st.sampled_from(["/data", "/tmp"])}
        ),
        max_size=2,
    ),
    "securityContext": st.sampled_from(
        [{"privileged": True}, {"runAsUser": 0}, {"readOnlyRootFilesystem": False}, None]
    ),
    "lifecycle": st.sampled_from(
        [{"preStop": {"sleep": {"seconds": 30}}}, {"preStop": {"exec": {"command": ["a"]}}}, None]
    ),
    "readinessProbe": st.sampled_from([{"periodSeconds": 1}, {"httpGet": None, "tcpSocket": {"port": 1}}, None]),
    "$patch": st.sampled_from(["delete", "replace", "merge", "x", 7]),
}


@st.composite
def fields_of(draw: st.DrawFn, of: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    return {name: draw(of[name]) for name in some_of(draw, list(of), 3)}


CONTAINER = st.builds(lambda name, more: {"name": name, **more}, CONTAINERS, fields_of(CONTAINER_FIELDS))
POD_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "containers": st.lists(CONTAINER, max_size=3),
    "initContainers": st.lists(CONTAINER, max_size=2),
    "volumes": st.lists(
        st.sampled_from(
            [
                {"name": "data", "emptyDir": {}},
                {"name": "host", "hostPath": {"path": "/"}},
                {"name": "run", "$patch": "delete"},
                {"$patch": "replace"},
                {"name": "run"},
                {"emptyDir": {}},
            ]
        ),
        max_size=2,
    ),
    "nodeSelector": st.sampled_from([{"disk": "ssd"}, {"disk": None}, None]),
    "terminationGracePeriodSeconds": st.integers(0, 600),
    "serviceAccountName": st.sampled_from(["shop", "admin"]),
    "hostNetwork": st.booleans(),
    "securityContext": st.sampled_from([{"runAsUser": 0}, {"fsGroup": 5}, {"$retainKeys": ["runAsUser"]}, None]),
    "tolerations": st.lists(st.just({"key": "a", "operator": "Exists"}), max_size=2),
    "imagePullSecrets": st.lists(st.just({"name": "a"}), max_size=2),
    "topologySpreadConstraints": st.just([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]),
    "$setElementOrder/containers": st.just([{"name": "nginx"}, {"name": "app"}]),
    "$deleteFromPrimitiveList/finalizers": st.just(["a"]),
    "$retainKeys": st.just(["containers"]),
}
LABELS = st.dictionaries(
    st.sampled_from(["tier", "uwsgi-autopilot.dev/app", "app.kubernetes.io/name"]),
    st.sampled_from(["a", "shop", None]),
    max_size=2,
)
DEEP = st.builds(lambda depth, end: _nested(depth, end), st.integers(5, 60), st.sampled_from(["a", 0]))


def _nested(depth: int, value: Any) -> Any:
    for turn in range(depth):
        value = {"a": value} if turn % 2 else [value]
    return {"spec": value} if isinstance(value, dict) else {"spec": {"affinity": value}}


OVERLAY = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "metadata": st.fixed_dictionaries({}, optional={"labels": LABELS, "annotations": LABELS}),
            "spec": fields_of(POD_FIELDS),
        },
    ),
    DEEP,
)


@st.composite
def specs(draw: st.DrawFn, of: tuple[str, ...] = ()) -> dict[str, Any]:
    """Three in four hold nothing of a wrong type. of: all of these fields, and nothing that is wrong by type."""
    spec: dict[str, Any] = like(draw, SPEC, "spec")
    spec.setdefault("image", "shop:1.4")
    if of:
        return {"module": "wsgi:app", "image": "shop:1.4"} | {
            each: like(draw, SPEC["properties"][each], each) for each in of
        }
    if draw(st.booleans()):
        spec["template"] = draw(OVERLAY)
    if draw(st.integers(0, 3)) == 0:
        _spoil(draw, spec)
    return spec


def _spoil(draw: st.DrawFn, value: Any) -> None:
    """Put anything in place of something inside `value`."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        inner = value[key]
        if isinstance(inner, dict | list) and inner and draw(st.booleans()):
            value = inner
            continue
        value[key] = draw(ANYTHING)
        return


def body(spec: Any) -> dict[str, Any]:
    """As the API server gives it."""
    metadata = {"name": "shop", "namespace": "team", "uid": "u-1", "generation": 3, "resourceVersion": "17"}
    return {"apiVersion": "uwsgi-autopilot.dev/v1alpha1", "kind": "UwsgiApp", "metadata": metadata, "spec": spec}
