"""What the fleet knows, in the status' words: who is named, which figures are shown, when they are worth a write."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.controller.making import sample
from tests.unit.fleet.making import NOW, OTHER, PROMOTED, START, a_fleet, a_pod, refusal
from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.tuningstatus import Figures, figures_of, moved, status_of
from uwsgi_autopilot.fleet.change import Change, Stage
from uwsgi_autopilot.fleet.delivery import LATE_SECONDS, Delivery
from uwsgi_autopilot.fleet.history import Kind
from uwsgi_autopilot.fleet.pod import SILENT_S, Pod
from uwsgi_autopilot.fleet.state import Word
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.resources.tuned import tuned

LATER = PROMOTED.version.next()
TO_OTHER = DesiredShape(version=LATER, shape=OTHER)


def measured(pod: Pod, ago: float, **fields: Any) -> Pod:
    pod.samples.append(replace(Sample.from_json(sample(**fields)), at=NOW - ago))
    return pod


SLOW, QUICK = [[130, 100]], [[70, 100]]  # buckets of 3.2 s and of 55 ms


@pytest.mark.parametrize(
    ("pods", "shown"),
    [
        pytest.param([measured(a_pod("a"), 1.0, latency=QUICK)], (100.0, 0.055), id="a second ago"),
        pytest.param([measured(a_pod("a"), 60.0, latency=SLOW)], (None, None), id="a minute ago: nothing fresh"),
        pytest.param([measured(a_pod("a"), 1.0, requests=0.0)], (0.0, None), id="no requests: nothing is slow"),
        pytest.param([measured(a_pod("a"), 1.0, requests=0.1)], (0.0, None), id="the agents' own requests"),
        pytest.param(
            [measured(a_pod("a"), 1.0, latency=QUICK), measured(a_pod("b"), 1.0, latency=SLOW)],
            (200.0, 3.2),
            id="of all pods the worst",
        ),
        pytest.param(
            [measured(measured(a_pod("a"), 30.0, latency=SLOW), 1.0, latency=QUICK)], (100.0, 0.055), id="it is over"
        ),
    ],
)
def test_the_figures_are_those_of_the_last_seconds(pods: list[Pod], shown: tuple[float | None, float | None]) -> None:
    found = figures_of(a_fleet(*pods), NOW)
    assert found.rps == shown[0]
    assert found.p99_s == (None if shown[1] is None else pytest.approx(shown[1], rel=0.05))


@pytest.mark.parametrize(
    ("found", "calm", "hot"),
    [
        pytest.param(Figures(rps=100.0, p99_s=0.1), False, False, id="the same"),
        pytest.param(Figures(rps=101.0, p99_s=0.1), False, True, id="a little more"),
        pytest.param(Figures(rps=100.0, p99_s=0.2), True, True, id="twice as slow"),
        pytest.param(Figures(rps=100.0), True, True, id="nobody knows any more"),
        pytest.param(Figures(rps=0.0, p99_s=0.1), True, True, id="the load has ended"),
    ],
)
def test_when_other_figures_are_worth_a_write(found: Figures, calm: bool, hot: bool) -> None:
    shown = Figures(rps=100.0, p99_s=0.1)
    assert (moved(shown, found, hot=False), moved(shown, found, hot=True)) == (calm, hot)


# --- the condition


def condition(*pods: Pod, **fields: Any) -> str:
    state = a_fleet(*pods, **fields)
    return ": ".join(tuned(state.app.tuning, status_of(state, NOW))[1:])


def failing(uid: str, problem: str, *, incompatible: bool = False) -> Pod:
    pod = a_pod(uid)
    pod.state, pod.heard_at = None, NOW - 2 * SILENT_S
    pod.failed(NOW - SILENT_S, problem, incompatible=incompatible)
    return pod


def late(uid: str) -> dict[str, Delivery]:
    return {uid: Delivery(desired=TO_OTHER, since=NOW - LATE_SECONDS - 1, at=NOW - 3.0)}


def given_up(uid: str) -> dict[str, Delivery]:
    desired = replace(PROMOTED, version=LATER, uid=uid)
    return {uid: Delivery(desired=desired, since=NOW - 9, at=NOW - 9, refused_at=NOW - 3, refused=refusal(LATER))}


def test_memory_stays_what_limits_while_a_smaller_shape_is_tried() -> None:
    words = {"reason": "MemoryLimit", "message": "needs 57 MiB"}
    state = a_fleet(a_pod("a")).recorded(NOW - 9, Kind.REFUSE, START, OTHER, **words)
    state = state.recorded(NOW - 1, Kind.TRY, START, START, "FirstJump", "should serve more")
    state = replace(state, word=Word(reason=Reason.CHANGE_IN_PROGRESS, message="the agent is changing the shape"))
    answer = tuned(state.app.tuning, status_of(state, NOW))
    assert answer[1:] == ("LimitedByMemory", f"the agent refused {OTHER}: needs 57 MiB")


def test_agents_that_do_not_answer_are_named_with_what_was_found() -> None:
    told = condition(failing("a", "port 9117 has not answered within 1 s"))
    assert told == "AgentUnreachable: no agent answers: pod a: port 9117 has not answered within 1 s"


def test_an_agent_of_another_release_is_not_unreachable() -> None:
    told = condition(failing("a", "version: found 99", incompatible=True), failing("b", "silent"))
    assert told == "AgentIncompatible: pod a: version: found 99"


def test_a_pod_that_gave_the_promoted_shape_up_is_named() -> None:
    told = condition(a_pod("a"), a_pod("b", target=OTHER), deliveries=given_up("b"))
    assert told == "ShapeGivenUp: pod b serves 4x16 instead of 2x4: does not fit"


def test_a_late_pod_is_named_in_a_sentence_that_stays_the_same() -> None:
    told = condition(a_pod("a"), a_pod("b"), deliveries=late("b"))
    assert told == "ShapeNotDelivered: pod b has not reported 4x16, which was written to it"


def test_pods_that_were_never_asked_have_not_failed() -> None:
    pod = a_pod("a")
    pod.state = pod.heard_at = None
    assert condition(pod).startswith("NoLoad: nothing has been measured yet")


# --- the shape that is desired


@pytest.mark.parametrize(
    ("pods", "others", "shown"),
    [
        pytest.param("a", (), OTHER, id="a single pod"),
        pytest.param("ab", (), START, id="one of two"),
        pytest.param("abc", (), START, id="one of three"),
        pytest.param("abc", ("b",), OTHER, id="two of three"),
        pytest.param("b", (), START, id="the pod that tried it is gone"),
    ],
)
def test_a_trial_is_shown_once_most_pods_are_to_have_it(pods: str, others: tuple[str, ...], shown: Shape) -> None:
    change = Change(
        stage=Stage.TRYING, shape=OTHER, before=START, version=Version(2, 1), issued_at=NOW, pod="a", others=others
    )
    desired = status_of(a_fleet(*map(a_pod, pods), change=change), NOW).desired
    assert desired is not None
    assert desired.shape == shown
    assert desired.version == (Version(2, 1) if shown == OTHER else PROMOTED.version)


def test_what_the_agent_had_no_memory_for_stays_the_reason_though_the_trial_ends_undecided() -> None:
    state = a_fleet(a_pod("a"))
    state = state.recorded(NOW, Kind.REFUSE, START, OTHER, "MemoryLimit", "needs 900 MiB")
    state = state.recorded(NOW, Kind.UNDECIDED, OTHER, START, "TrialUndecided", "x")
    found = status_of(state, NOW)
    assert (found.limited.value, found.message) == ("MemoryLimit", "the agent refused 4x16: needs 900 MiB")
