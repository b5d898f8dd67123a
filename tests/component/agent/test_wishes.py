"""Whatever stands in the wanted file, the shape that serves goes on serving, and the state says why."""

import json

import pytest

from uwsgi_autopilot.agent.wanted import WishFile
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape

pytestmark = pytest.mark.component

GOOD = {"seq": 10, "processes": 2, "threads": 2, "uid": "*", "trialSeconds": None}


@pytest.mark.parametrize("uwsgi", ["one server for all rows"])
def test_a_wish_that_makes_no_sense_is_refused_with_its_reason(serve, uwsgi):
    rows = [
        ("an empty file", "", "NotAWish", "empty file"),
        ("a blank file", " \n", "NotAWish", "empty file"),
        ("half a wish", '{"seq": 11, "proc', "NotAWish", "not JSON"),
        ("a list", "[1, 2]", "NotAWish", "found list"),
        ("a word for a number", json.dumps(GOOD | {"seq": 11, "threads": "many"}), "NotAWish", "threads"),
        ("no processes", json.dumps(GOOD | {"seq": 11, "processes": 0}), "NotAWish", "at least one process"),
        ("absurd", json.dumps(GOOD | {"seq": 11, "processes": 10**9}), "OutOfBounds", "1 to 16, found 1000000000"),
        ("too many threads", json.dumps(GOOD | {"seq": 11, "threads": 65}), "OutOfBounds", "1 to 64, found 65"),
        ("older", json.dumps(GOOD | {"seq": 9, "threads": 3}), "OlderThanLast", "9 is older"),
        ("of another pod", json.dumps(GOOD | {"seq": 11, "uid": "someone"}), "OtherPod", "someone"),
        ("endless", " " * 5000, "NotAWish", "found"),
        ("bytes", "\udcff\udcfe".encode("utf-8", "surrogateescape").decode("latin-1"), "NotAWish", "not JSON"),
    ]
    with serve(start=Shape(1, 2)) as served:
        served.write_wish(json.dumps(GOOD))
        served.until(lambda: served.serves(Shape(2, 2)) and served.session.settled, "the good wish is followed")
        generation = served.session.state["generation"]
        for name, text, reason, fragment in rows:
            served.write_wish(text)

            def refused(reason=reason, fragment=fragment):
                found = served.session.state["refused"]
                return found and found["reason"] == reason and fragment in found["message"]

            served.until(refused, f"{name}: refused with {reason} and {fragment!r}", timeout=10)
            assert served.serves(Shape(2, 2)), name
        assert served.session.state["generation"] == generation
        assert served.get("/")[0] == 200
        served.write_wish(json.dumps(GOOD | {"seq": 12, "processes": 3}))
        served.until(lambda: served.serves(Shape(3, 2)), "a later good wish is followed")
        assert served.session.state["refused"] is None


def test_a_file_that_is_empty_from_the_start_is_no_wish(tmp_path):
    """The kubelet writes one for a pod that carries no wish yet; one that becomes empty is refused, as above."""
    wanted = tmp_path / "wanted"
    wanted.touch()
    wishes = WishFile(
        AgentConfig(
            name="test",
            uwsgi=("uwsgi",),
            module="app:app",
            chdir="/",
            socket="/s",
            private="/p",
            wanted=str(wanted),
            start=Shape(1, 2),
            listen=("unix:/l",),
        )
    )
    assert wishes.read_promoted() is None
    assert wishes.poll(1.0, Shape(1, 2)) is None
    assert wishes.refused is None
    wanted.write_text(json.dumps(GOOD))
    assert wishes.poll(2.0, Shape(1, 2)) == Shape(2, 2)


def test_a_trial_that_nobody_confirms_ends_by_itself(serve):
    with serve(start=Shape(1, 2)) as served:
        served.write_wish(json.dumps({"seq": 1, "processes": 2, "threads": 4, "trialSeconds": 4}))
        served.until(lambda: served.serves(Shape(2, 4)), "the trial runs")
        served.until(lambda: served.serves(Shape(1, 2)) and served.session.settled, "it is over")
        assert served.session.state["refused"]["reason"] == "TrialEnded"


def test_a_trial_that_is_confirmed_stays(serve):
    with serve(start=Shape(1, 2)) as served:
        served.write_wish(json.dumps({"seq": 1, "processes": 3, "threads": 2, "trialSeconds": 3}))
        served.until(lambda: served.serves(Shape(3, 2)), "the trial runs")
        served.write_wish(json.dumps({"seq": 2, "processes": 3, "threads": 2, "trialSeconds": None}))
        served.until(lambda: served.session.state["accepted"]["seq"] == 2, "it is confirmed")
        end = served.session.state["now"] + 4
        served.until(lambda: served.session.state["now"] > end, "the trial's time is over")
        assert served.serves(Shape(3, 2))


def test_a_swap_that_does_not_fit_into_memory_is_refused_with_its_numbers(serve):
    mib = 1024 * 1024
    with serve(start=Shape(1, 2), memory=150 * mib) as served:
        served.get("/?hog=60")
        samples = served.session.samples
        served.until(lambda: samples and (samples[-1].worker_bytes or 0) > 60 * mib, "the worker's size is known")
        served.session.wish(Shape(4, 4))
        refused = served.until(lambda: served.session.state["refused"], "it is refused")
        assert refused["reason"] == "MemoryLimit"
        assert refused["shape"] == {"processes": 4, "threads": 4}
        assert "limit is 150 MiB" in refused["message"]
        assert served.serves(Shape(1, 2))
        served.session.wish(Shape(3, 2))
        served.until(lambda: (served.session.state["refused"] or {}).get("shape", {}).get("processes") == 3, "refused")
        assert served.serves(Shape(1, 2))
