"""What is nested too deep is cut before anybody reads it, whatever the interpreter could read."""

import contextlib
import json
import subprocess
import sys

import pytest

from uwsgi_autopilot.controller.deepjson import MOST_DEEP, Shallow, cut, is_deep


def nested(levels: int, inside: str = "1") -> str:
    return '{"a": ' * levels + inside + "}" * levels


@pytest.mark.parametrize("levels", [MOST_DEEP + 1, 500, 9_990], ids="{} levels".format)
def test_only_the_deep_part_is_cut(levels: int) -> None:
    tricky = {"text": ']]}["{\\', "empty": [{}, []]}
    text = f'{{"items": [{json.dumps(tricky)}, {nested(levels)}, [[[2]]]]}}'
    first, deep, last = json.loads(text, cls=Shallow)["items"]
    assert (first, last) == (tricky, [[[2]]])
    # The items lie two levels deep.
    assert deep == json.loads(nested(MOST_DEEP - 2, "null"))


def test_what_is_just_not_too_deep_stays() -> None:
    for text in (nested(MOST_DEEP), nested(MOST_DEEP - 1, "[1]"), "[" * MOST_DEEP + "]" * MOST_DEEP):
        assert cut(text) == text
        assert not is_deep(json.loads(text))
        assert json.loads(text, cls=Shallow) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="brackets that never end"),
        pytest.param("]" * 1_000, id="brackets that never began"),
        pytest.param(nested(2_000, "x"), id="deep down no JSON, and nobody looks"),
        pytest.param("[" * 100_000 + '\\"' * 100_000, id="texts that never end"),
    ],
)
def test_what_is_no_json_is_an_error_or_cut(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert not is_deep(json.loads(text, cls=Shallow))


def test_the_operator_reads_so_whatever_it_reads() -> None:
    """kopf calls json.loads. In a process of its own, where the interpreter can read no more than 200 levels."""
    code = """if True:
        import json, sys
        from uwsgi_autopilot.controller import main
        main.asyncio.run = lambda operator: operator.close()
        main.run_operator(main.Options(template="t", skeletons="s", namespace="n", agent_image="a"))
        sys.setrecursionlimit(200)
        found = json.loads('{"object": ' + '{"a": ' * 9_990 + "1" + "}" * 9_990 + ', "type": "ADDED"}')
        assert found["type"] == "ADDED"
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
