"""A load that measures the login page is said to."""

import pytest

from uwsgi_autopilot.local.answers import ENOUGH, Answers


@pytest.mark.parametrize(
    ("statuses", "says"),
    [
        pytest.param({}, None, id="no answer yet"),
        pytest.param({"302": ENOUGH - 1}, None, id="few"),
        pytest.param({"302": 1640}, "(1,640 with status 302)", id="redirects"),
        pytest.param({"302": 9, "403": 20}, "(9 with status 302, 20 with status 403)", id="redirects and refusals"),
        pytest.param({"200": 1, "302": 99}, None, id="one page"),
        pytest.param({"404": 9, "500": 99}, None, id="failures are told elsewhere"),
    ],
)
def test_what_is_said_of_the_statuses(statuses, says):
    answers = Answers()
    said = answers.step(statuses)
    assert [says in each for each in said] == ([] if says is None else [True])
    assert answers.step(statuses) == [], "once"
