"""Which shape is followed, where a trial returns to, and which refusal is told."""

from dataclasses import replace

import pytest

from tests.unit.agent.making import config
from uwsgi_autopilot.agent.following import Following
from uwsgi_autopilot.api.desired import ALL_PODS, UNVERSIONED, DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason

CONFIG = config(max_processes=16, max_threads=64)
GOOD = DesiredShape(version=Version(2, 7), shape=Shape(4, 4))


def desired(seq: int, shape: Shape, trial: float | None = None, *, epoch: int = 2, uid: str = ALL_PODS) -> DesiredShape:
    return DesiredShape(version=Version(epoch, seq), shape=shape, trial_seconds=trial, uid=uid)


def after(*received: DesiredShape, now: float = 100.0) -> Following:
    following = Following.start(Shape(1, 1), GOOD)
    for each in received:
        following = following.receive(each, CONFIG, now)
    return following


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        pytest.param(desired(8, Shape(2, 8)), None, id="a later one"),
        pytest.param(desired(1, Shape(2, 8), epoch=3), None, id="a later epoch, whatever its seq"),
        pytest.param(desired(8, Shape(2, 8), uid="u"), None, id="for this pod"),
        pytest.param(GOOD, None, id="the same once more"),
        pytest.param(desired(6, Shape(2, 8)), RefusalReason.OLDER_THAN_LAST, id="an earlier one"),
        pytest.param(desired(99, Shape(2, 8), epoch=1), RefusalReason.OLDER_THAN_LAST, id="an earlier epoch"),
        pytest.param(desired(7, Shape(2, 8)), RefusalReason.CONFLICTING_SHAPE, id="two writers share a number"),
        pytest.param(desired(8, Shape(2, 8), uid="v"), RefusalReason.OTHER_POD, id="for another pod"),
        pytest.param(desired(8, Shape(17, 8)), RefusalReason.OUT_OF_BOUNDS, id="too many processes"),
        pytest.param(desired(8, Shape(2, 65)), RefusalReason.OUT_OF_BOUNDS, id="too many threads"),
    ],
)
def test_what_is_followed_and_what_is_refused(asked, reason):
    following = after(asked)
    if reason is None:
        assert (following.target, following.accepted, following.refused) == (asked.shape, asked, None)
    else:
        assert (following.target, following.accepted) == (GOOD.shape, GOOD)
        refused = following.refused
        assert (refused.reason, refused.version, refused.shape) == (reason, asked.version, asked.shape)


def test_the_same_once_more_is_no_news():
    following = after(desired(8, Shape(2, 8), 90.0))
    assert following.receive(following.accepted, CONFIG, 150.0) is following, "the trial is not prolonged"


def test_without_a_promoted_shape_any_version_is_later():
    following = Following.start(Shape(1, 1))
    assert following.accepted.version == UNVERSIONED
    assert following.receive(desired(0, Shape(2, 2), epoch=1), CONFIG, 1.0).target == Shape(2, 2)


def test_a_trial_that_nobody_confirms_returns_to_the_target_from_before():
    following = after(desired(8, Shape(2, 8), 90.0))
    assert following.expire(189.9) is following
    over = following.expire(190.0)
    assert (over.target, over.trial) == (Shape(4, 4), None)
    assert (over.refused.reason, over.refused.version, over.refused.shape) == (
        RefusalReason.TRIAL_EXPIRED,
        Version(2, 8),
        Shape(2, 8),
    )
    assert over.expire(500.0) is over


def test_a_trial_that_is_renewed_keeps_the_first_way_back():
    following = after(desired(8, Shape(2, 8), 90.0))
    renewed = following.receive(desired(9, Shape(2, 16), 90.0), CONFIG, 150.0)
    assert renewed.expire(190.0) is renewed
    over = renewed.expire(240.0)
    assert (over.target, over.refused.version) == (Shape(4, 4), Version(2, 9))


def test_a_trial_that_is_confirmed_stays():
    following = after(desired(8, Shape(2, 8), 90.0), desired(9, Shape(2, 8)))
    assert following.expire(1000.0) is following
    assert following.target == Shape(2, 8)


def test_a_refusal_leaves_a_trial_as_it_is():
    following = after(desired(8, Shape(2, 8), 90.0), desired(3, Shape(1, 1)))
    assert following.refused.reason is RefusalReason.OLDER_THAN_LAST
    assert following.expire(190.0).target == Shape(4, 4)


@pytest.mark.parametrize(
    ("asked", "back"),
    [
        pytest.param(desired(8, Shape(2, 8)), Shape(3, 3), id="for good: what served when it was begun"),
        pytest.param(desired(8, Shape(2, 8), 90.0), Shape(4, 4), id="a trial: the target from before it"),
    ],
)
def test_what_cannot_be_carried_out_is_given_up_with_its_version(asked, back):
    following = after(asked).give_up(
        RefusalReason.START_FAILED, "no", 120.0, version=asked.version, shape=asked.shape, before=Shape(3, 3)
    )
    assert (following.target, following.trial, following.accepted) == (back, None, asked)
    assert following.refused.version == asked.version
    assert following.expire(500.0) is following, "a trial that was given up does not expire as well"
    again = following.receive(replace(asked, version=Version(2, 9)), CONFIG, 130.0)
    assert (again.target, again.refused) == (Shape(2, 8), None), "a later version is tried"


def test_a_give_up_of_an_earlier_version_does_not_stop_the_later_one():
    following = after(desired(8, Shape(2, 8)), desired(9, Shape(5, 5)))
    told = following.give_up(
        RefusalReason.START_FAILED, "no", 120.0, version=Version(2, 8), shape=Shape(2, 8), before=Shape(4, 4)
    )
    assert (told.target, told.refused.version) == (Shape(5, 5), Version(2, 8))
