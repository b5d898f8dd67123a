"""What an agent may say: everything is checked, because application code shares its uid."""

import pytest
from uwsgi_autopilot.controller.agentstate import WrongPod
from uwsgi_autopilot.controller.podview import PodView

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape

STATE = {
    "version": 1, "agent": "0.1.0", "uid": "u", "now": 50.0, "serving": True, "draining": False,
    "shape": {"processes": 2, "threads": 4}, "target": {"processes": 2, "threads": 4}, "accepted": None,
    "change": None, "refused": None, "samples": [],
}  # fmt: skip


def sample(seq, **changes):
    data = Sample(seq=seq, at=40.0 + seq, seconds=1.0, generation=1, shape=Shape(2, 4), settled=True, requests=9.0)
    return {**data.to_json(), **changes}


def view():
    return PodView(uid="u", name="shop-1", ip="10.0.0.1")


def test_samples_come_once_and_on_our_clock():
    seen = view()
    assert seen.take({**STATE, "samples": [sample(1), sample(2)]}, wall=1000.0, monotonic=5.0) == 2
    assert seen.take({**STATE, "now": 51.0, "samples": [sample(2), sample(3)]}, wall=1001.0, monotonic=6.0) == 1
    assert [each.at for each in seen.samples] == [991.0, 992.0, 993.0]


def test_another_pod_at_the_same_address_is_not_believed():
    with pytest.raises(WrongPod):
        view().take({**STATE, "uid": "another"}, wall=1000.0, monotonic=5.0)


def test_a_container_that_began_anew_is_heard_again():
    seen = view()
    seen.take({**STATE, "samples": [sample(500)]}, wall=1000.0, monotonic=5.0)
    for second in range(1, 13):
        seen.take({**STATE, "now": 50.0 + second}, wall=1000.0 + second, monotonic=5.0 + second)
    assert seen.cursor == -1
    assert not seen.samples


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"version": 9}, id="a version from the future"),
        pytest.param({"now": "soon"}, id="a time that is none"),
        pytest.param({"target": {"processes": 0, "threads": 4}}, id="a shape that cannot be"),
        pytest.param({"accepted": {"seq": True}}, id="a number that is none"),
        pytest.param({"samples": {}}, id="samples that are no list"),
        pytest.param({"samples": [{"seq": 1}]}, id="half a sample"),
        pytest.param({"samples": [sample(1, requests=float("nan"))]}, id="not a number"),
        pytest.param({"samples": [sample(1, busy=-1.0)]}, id="fewer than none"),
        pytest.param({"samples": [sample(1, seconds=0.0)]}, id="a second without length"),
        pytest.param({"samples": [sample(1, cpu_s="1")]}, id="text where a number should be"),
    ],
)
def test_nonsense_is_refused_whole(change):
    seen = view()
    with pytest.raises(ValueError):
        seen.take({**STATE, **change}, wall=1000.0, monotonic=5.0)
    assert not seen.samples


def test_control_characters_and_length_do_not_reach_the_status():
    seen = view()
    refused = {"reason": "Bad", "message": "a\x1b[31m" + "x" * 9999, "seq": 1, "shape": None}
    seen.take({**STATE, "refused": refused}, wall=1000.0, monotonic=5.0)
    assert len(seen.state.refused.message) <= 256
    assert "\x1b" not in seen.state.refused.message
