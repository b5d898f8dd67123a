"""A request that reached the application runs once, however it ends: nginx repeats none."""

import pytest

from uwsgi_autopilot.api.shape import Shape

pytestmark = pytest.mark.component


@pytest.mark.parametrize(("threads", "paths"), [(1, ("/raises", "/exits", "/hangs")), (4, ("/raises", "/exits"))])
def test_a_request_that_ends_badly_has_run_once(pod, threads, paths):
    """It raises where no framework catches it, it ends its process, or uWSGI ends the process because it takes long.

    The last only with one thread: the timer of `harakiri` belongs to the worker, and any request that ends clears it,
    with four threads a request was seen to outlive `harakiri = 1` by half a minute.
    """
    served = pod(module="failing:app", shape=Shape(2, threads), options=(("harakiri", "1"),))
    served.until(lambda: served.ready()[0] == 200, "ready")
    for path in paths:
        assert served.get(path)[0] == 502
        served.until(lambda: served.get("/") == (200, "fine\n"), "it serves")
    assert (served.run / "ran").read_text().splitlines() == [f"GET {path}" for path in paths]
