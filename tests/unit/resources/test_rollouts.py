"""When an application takes over what is not its own change, and in which order they do."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.resources.making import SETTINGS, SKELETONS, TEMPLATE, body
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.labels import TAKE_TEMPLATE
from uwsgi_autopilot.resources.merge import merge
from uwsgi_autopilot.resources.objects import desired
from uwsgi_autopilot.resources.rollouts import CHART, MANIFEST, Made, Rendered, Step, made_from, step, turns

OLD = {**TEMPLATE, "metadata": {"name": "pod-old"}}
NEW = {
    "metadata": {"name": "pod-new"},
    "template": merge(TEMPLATE["template"], {"spec": {"priorityClassName": "high"}}, path="Deployment.spec.template"),
}
# The operator of tomorrow makes something else of the same template.
OTHER_AGENT = {"agent_image": "uwsgi-autopilot:next"}


def shop(mode: str = "Gradual", *, generation: int = 3, asked: str = "", **spec: Any) -> App:
    made = body(rollout={"mode": mode}, **spec)
    made["metadata"] |= {"generation": generation, "annotations": {TAKE_TEMPLATE: asked}}
    return App.from_body(made)


def rendered(app: App, template: dict[str, Any], **settings: Any) -> Rendered:
    made = desired(
        app, template=template, skeletons=SKELETONS, settings=type(SETTINGS)(**{"agent_image": "a:1", **settings})
    )
    return Rendered.of(template["metadata"]["name"], made)


def deployment(made: Step) -> dict[str, Any] | None:
    return next((each for each in made.objects if each["kind"] == "Deployment"), None)


def first(app: App) -> Made:
    """What the annotations say once an application was made from the old template."""
    made = deployment(step(app, live=None, now=rendered(app, OLD), before=None, its_turn=False))
    assert made is not None
    return made_from(made)


def after(
    before: App, app: App, *, its_turn: bool = False, kept: bool = True, now: dict = NEW, **settings: Any
) -> tuple[str, bool]:
    """Which template its pods are then made from, `untouched` when its Deployment is not written; does it wait?"""
    made = step(
        app,
        live=first(before),
        now=rendered(app, now, **settings),
        before=rendered(app, OLD, **settings) if kept else None,
        its_turn=its_turn,
    )
    written = deployment(made)
    return (made_from(written).template if written else "untouched"), made.waits


@pytest.mark.parametrize("mode", ["Gradual", "WithNextChange", "Manual"])
def test_the_first_pods_are_of_the_newest_template(mode: str) -> None:
    app = shop(mode)
    made = step(app, live=None, now=rendered(app, NEW), before=None, its_turn=False)
    assert made_from(deployment(made) or {}).template == "pod-new"
    assert not made.waits


@pytest.mark.parametrize(
    ("mode", "its_turn", "expected"),
    [
        ("Gradual", False, ("pod-old", True)),
        ("Gradual", True, ("pod-new", False)),
        ("WithNextChange", True, ("pod-old", True)),
        ("Manual", True, ("pod-old", True)),
    ],
)
def test_a_new_template_waits_for_its_turn(mode: str, its_turn: bool, expected: tuple[str, bool]) -> None:
    assert after(shop(mode), shop(mode), its_turn=its_turn) == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("Gradual", ("pod-new", False)), ("WithNextChange", ("pod-new", False)), ("Manual", ("pod-old", True))],
)
def test_a_change_of_the_application_takes_it_along_unless_that_is_manual(
    mode: str, expected: tuple[str, bool]
) -> None:
    app = shop(mode, generation=4, image="shop:1.5")
    made = step(app, live=first(shop(mode)), now=rendered(app, NEW), before=rendered(app, OLD), its_turn=False)
    written = deployment(made)
    assert written is not None
    assert (made_from(written).template, made.waits) == expected
    assert made_from(written).rolled_for == MANIFEST
    (container,) = (each for each in written["spec"]["template"]["spec"]["containers"] if each["name"] == "app")
    assert container["image"] == "shop:1.5"


@pytest.mark.parametrize("mode", ["Gradual", "WithNextChange", "Manual"])
def test_a_change_that_concerns_no_pod_takes_nothing_along(mode: str) -> None:
    app = shop(mode, generation=4, tuning={"mode": "Recommend"}, service={"port": 8000})
    assert after(shop(mode), app) == ("pod-old", True)


@pytest.mark.parametrize("mode", ["Gradual", "WithNextChange", "Manual"])
def test_whoever_asks_gets_it_at_once_and_once(mode: str) -> None:
    before = shop(mode, asked="1")
    assert after(before, shop(mode, asked="2")) == ("pod-new", False)
    assert after(before, before) == ("pod-old", True)


def test_the_template_before_it_is_not_kept() -> None:
    assert after(shop(), shop(), kept=False) == ("untouched", True)
    assert after(shop("Manual"), shop("Manual", generation=4, image="shop:1.5"), kept=False) == ("pod-new", False)


def test_what_a_newer_operator_makes_of_the_same_template_waits_too() -> None:
    assert after(shop(), shop(), now=OLD, **OTHER_AGENT) == ("untouched", True)
    assert after(shop(), shop(), now=OLD, its_turn=True, **OTHER_AGENT) == ("pod-old", False)
    assert after(shop(), shop(generation=4, image="shop:1.5"), now=OLD, **OTHER_AGENT) == ("pod-old", False)


def test_a_deployment_of_an_operator_that_wrote_no_generation_waits() -> None:
    made = made_from({"metadata": {"annotations": {"uwsgi-autopilot.dev/template": "pod-older"}}})
    assert step(shop(), live=made, now=rendered(shop(), NEW), before=None, its_turn=False).waits


def test_a_template_that_changes_nothing_of_the_pod_does_not_wait() -> None:
    """The overlay has overridden what is new."""
    app = shop(template={"spec": {"priorityClassName": "mine"}})
    made = step(app, live=first(app), now=rendered(app, NEW), before=rendered(app, OLD), its_turn=False)
    assert not made.waits
    assert made_from(deployment(made) or {}).template == "pod-new"


def test_what_the_chart_rolls_out_says_so() -> None:
    made = step(shop(), live=first(shop()), now=rendered(shop(), NEW), before=None, its_turn=True)
    written = made_from(deployment(made) or {})
    assert written.rolled_for == CHART
    again = step(shop(), live=written, now=rendered(shop(), NEW), before=None, its_turn=False)
    assert made_from(deployment(again) or {}) == written


@pytest.mark.parametrize(
    ("rolling", "failed", "proven", "expected"),
    [
        pytest.param(0, 0, False, "a", id="one goes first"),
        pytest.param(1, 0, False, "", id="and is waited for"),
        pytest.param(0, 1, False, "a", id="a second one shows whether the first was to blame"),
        pytest.param(0, 2, False, "", id="two that fail stop it"),
        pytest.param(0, 0, True, "abc", id="then three at a time"),
        pytest.param(2, 0, True, "a", id="three of them, with those on their way"),
        pytest.param(2, 1, True, "", id="one that is stuck has a place, too"),
        pytest.param(0, 2, True, "", id="two that fail stop it at any time"),
        pytest.param(9, 0, True, "", id="more than three on their way"),
    ],
)
def test_whose_turn_it_is(rolling: int, failed: int, proven: bool, expected: Sequence[str]) -> None:
    assert "".join(turns("abcd", rolling=rolling, failed=failed, proven=proven, most=3)) == expected
