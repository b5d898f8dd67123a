"""What holds the autopilot back is told: while requests fail, at the end, and in the report."""

from uwsgi_autopilot.fleet.state import Word
from uwsgi_autopilot.local.held import Held
from uwsgi_autopilot.report.reasons import Reason

FEW = Word(reason=Reason.TOO_FEW_REQUESTS, message="3 requests of this load seen")
FAILING = Word(reason=Reason.ERRORS_HIGH, message="50 of 99 requests failed in the last 5 s")
JUMP = Word(reason=Reason.FIRST_JUMP, message="waits 89% of the time")


def test_that_requests_fail_is_said_when_it_begins_and_once():
    held = Held()
    said = [held.step(word) for word in (None, FEW, FAILING, FAILING, FEW, FAILING)]
    line = ["ErrorsHigh: 50 of 99 requests failed in the last 5 s"]
    assert said == [[], [], line, [], [], line]


def test_a_change_is_nothing_that_holds_back():
    held = Held()
    assert held.to_json() is None, "before the first word"
    held.step(FEW)
    assert held.to_json() == {"reason": "TooFewRequests", "message": "3 requests of this load seen"}
    held.step(JUMP)
    assert held.to_json() is None
