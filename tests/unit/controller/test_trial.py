"""How a trial ends, one row each; and when a pod is worse off than the others."""

import pytest
from uwsgi_autopilot.controller.compare import Baseline, hurt_now, worse_off
from uwsgi_autopilot.controller.podview import Figures
from uwsgi_autopilot.controller.trial import Next, Seen, Trial, Verdict, next_of

from uwsgi_autopilot.api.shape import Shape

TRIAL = Trial(pod="p", shape=Shape(4, 16), before=Shape(2, 4), seq=7, began_at=1000.0, wished_at=1000.0)


def seen(**changes):
    return Seen(**{"now": 1010.0, "there": True, "verdict": Verdict.OPEN, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, Next.WAIT, id="nothing has happened"),
        pytest.param({"verdict": Verdict.KEPT}, Next.PROMOTE, id="the tuner keeps it"),
        pytest.param({"verdict": Verdict.TAKEN_BACK}, Next.BACK, id="the tuner takes it back"),
        pytest.param({"worse": "slow"}, Next.BACK, id="it is worse off than the others"),
        pytest.param({"verdict": Verdict.KEPT, "worse": "slow"}, Next.BACK, id="kept, but worse off than the others"),
        pytest.param({"there": False, "verdict": Verdict.KEPT}, Next.UNDECIDED, id="its pod went"),
        pytest.param({"disturbed": "a rollout"}, Next.UNDECIDED, id="a rollout began"),
        pytest.param({"ended": True}, Next.UNDECIDED, id="the agent ended it by itself"),
        pytest.param({"verdict": Verdict.DROPPED}, Next.UNDECIDED, id="the agent refused it"),
        pytest.param({"now": 1044.0}, Next.WAIT, id="a second before half its time"),
        pytest.param({"now": 1045.0}, Next.RENEW, id="half its time is over"),
        pytest.param({"now": 1089.0, "followed": False}, Next.WAIT, id="the wish is still on its way"),
        pytest.param({"now": 1090.0, "followed": False}, Next.UNDECIDED, id="the wish never arrived"),
    ],
)
def test_next(changes, expected):
    assert next_of(TRIAL, seen(**changes))[0] is expected


def figures(*, rps=100.0, inside=10.0, queue=2.0, service_s=0.08, errors=0.0, seconds=5.0):
    return Figures(
        rps=rps, inside=inside, queue=queue, service_s=service_s, errors=errors, requests=rps * seconds, seconds=seconds
    )


BEFORE = Baseline.of(figures(), figures())


@pytest.mark.parametrize(
    ("tried", "others", "hurts"),
    [
        pytest.param(figures(), figures(), False, id="nothing changed"),
        pytest.param(figures(inside=20.0), figures(), True, id="requests stay twice as long in it"),
        pytest.param(figures(inside=20.0), figures(inside=20.0), False, id="and in all others too: it is the load"),
        pytest.param(figures(inside=4.0), figures(), False, id="requests leave it sooner, at the same rate"),
        pytest.param(figures(errors=0.1), figures(), True, id="a tenth of its requests fail"),
        pytest.param(figures(errors=0.1), figures(errors=0.1), False, id="the others fail as well"),
        pytest.param(figures(inside=20.0, rps=5.0), figures(), False, id="too few requests to say"),
    ],
)
def test_worse_off(tried, others, hurts):
    assert (worse_off(BEFORE, tried, others) is not None) is hurts


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(None, False, id="nobody knows"),
        pytest.param(figures(queue=4.0, rps=1.0), False, id="four wait"),
        pytest.param(figures(queue=90.0), False, id="they wait for 0.9 s"),
        pytest.param(figures(queue=110.0), True, id="they wait for 1.1 s"),
        pytest.param(figures(queue=110.0, service_s=0.5), False, id="1.1 s is little where serving takes 0.5 s"),
        pytest.param(figures(queue=20.0, rps=0.0, service_s=None), True, id="nothing is answered at all"),
    ],
)
def test_hurt_now(now, expected):
    assert hurt_now(now) is expected


def test_a_trial_survives_its_json():
    assert Trial.from_json(TRIAL.to_json()) == TRIAL
