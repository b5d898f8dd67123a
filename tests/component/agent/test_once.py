"""A request that reached the application runs once, however it ends: nginx repeats none."""

import pytest

from uwsgi_autopilot.api.shape import Shape

pytestmark = pytest.mark.component


@pytest.mark.parametrize("threads", [1, 4])
def test_a_request_that_ends_badly_has_run_once(pod, threads):
    """It raises where no framework catches it, it ends its process, or uWSGI ends the process because it takes long."""
    served = pod(module="failing:app", shape=Shape(2, threads), options=(("harakiri", "1"),))
    served.until(lambda: served.ready()[0] == 200, "ready")
    paths = ("/raises", "/exits", "/hangs")
    for path in paths:
        assert served.get(path)[0] == 502
        served.until(lambda: served.get("/") == (200, "fine\n"), "it serves")
    assert (served.run / "ran").read_text().splitlines() == [f"GET {path}" for path in paths]
