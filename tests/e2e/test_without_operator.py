"""The operator is away, is killed, is uninstalled: the applications do not notice."""

import pytest

from tests.e2e.figures import Figures
from tests.e2e.place import Place, until
from tests.e2e.release import REPLICAS, Release
from tests.e2e.traffic import Traffic, breathe

pytestmark = pytest.mark.alone

POOR = {"start": {"processes": 1, "threads": 2}}


@pytest.fixture
def away(release: Release):
    """Whatever happens in the test, the operator is there again after it."""
    yield release
    release.install()


def test_nothing_happens_to_an_application_while_the_operator_is_gone(
    front: Place, away: Release, figures: Figures
) -> None:
    # A shape is sized for its pod's share of the load, and for a while one pod has all of it here: the bounds are what
    # both shares ask for.
    front.make(tuning={**POOR, "processes": {"max": 2}, "threads": {"max": 3}})
    with Traffic("/io?ms=100", kept=32, fresh=16) as load:
        until("a shape was found and every pod serves it", lambda: front.shapes() == ["2x3", "2x3"])
        until("it is kept", lambda: front.decisions()[-1]["kind"] == "promote")
        found, decided = front.shapes(), front.decisions()
        away.scale(0)
        front.kubectl("delete", "pod", front.pods()[0]["metadata"]["name"])
        until("its replacement serves", lambda: len(front.items("pods")) == 2 and front.shapes() == found)
        assert {} in front.desired(), "born without an annotation"
        away.scale(REPLICAS)
        breathe(10)
    figures.append(f"{found[0]} before, while and after the operator was away; {load.count}")
    load.nothing_lost()
    assert front.shapes() == found
    assert front.decisions()[: len(decided)] == decided, "it continues with what it knew"
    assert front.restarts() == 0


@pytest.mark.timeout(300)
def test_an_operator_killed_in_a_trial_leaves_no_trial_behind(front: Place, away: Release, figures: Figures) -> None:
    front.make(replicas=1, tuning=POOR)

    def trying() -> bool:
        return any(each.get("trialSeconds") for each in front.desired())

    with Traffic("/io?ms=100", kept=8, fresh=4) as load:
        until("a trial begins", trying, every=0.1)
        away.scale(0)
        assert trying()
        until("the shape is tried", lambda: front.shapes() != ["1x2"])
        until("the pod has returned by itself", lambda: front.shapes() == ["1x2"], 150)
    figures.append(str(load.count))
    load.nothing_lost()
    assert front.restarts() == 0


@pytest.mark.timeout(300)
def test_uninstalling_keeps_applications_and_installing_takes_them_over(
    front: Place, away: Release, figures: Figures
) -> None:
    front.make(tuning={"pin": {"processes": 1, "threads": 3}})

    def uids() -> set[str]:
        kinds = "uwsgiapps,deployments,replicasets,pods,services,configmaps,poddisruptionbudgets"
        return {each["metadata"]["uid"] for each in front.items(kinds)}

    until("the pin is served", lambda: front.shapes() == ["1x3", "1x3"])
    breathe(5)
    before = uids()
    with Traffic("/io?ms=50") as load:
        away.uninstall()
        breathe(5)
        assert uids() == before
        away.install()
        front.ready()
        breathe(6)
    figures.append(str(load.count))
    load.nothing_lost()
    assert uids() == before
    assert front.restarts() == 0
