"""An application that leaks is replaced before the kernel kills it, and no request notices.

Real here too: a cgroup with a limit, around the agent and uWSGI as around a pod's container. site/app.py keeps what
`hog` asks for.
"""

import contextlib

import pytest

from tests.component.agent.limited import NoCgroup, memory_limited
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.loadgen.process import LoadProcess

pytestmark = [pytest.mark.component, pytest.mark.long, pytest.mark.timeout(300)]
LEAK = "rate=20,path=/?hog=1&ms=20"


@pytest.fixture
def limited():
    """`limited(512)`: a cgroup of so many MiB, removed after the test's processes have ended."""
    with contextlib.ExitStack() as stack:

        def make(megabytes):
            try:
                return stack.enter_context(memory_limited(megabytes))
            except NoCgroup as error:
                pytest.skip(str(error))

        yield make


def leak(pod, *beside, seconds):
    """The summary of the load, with what else is asked for meanwhile, and what /ready answered."""
    answers = set()

    def ended():
        answers.add(pod.ready())
        return not process.running()

    process = LoadProcess.start(f"http://127.0.0.1:{pod.client}", [LEAK, *beside], seconds)
    try:
        pod.until(ended, "the load has ended", timeout=seconds + 60)
    finally:
        summary = process.stop(40)
    return summary, answers


@pytest.mark.parametrize(
    ("shape", "options", "megabytes", "beside"),
    [
        pytest.param(Shape(2, 4), (), 512, (), id="threads"),
        pytest.param(Shape(3, 1), (), 512, ("clients=1,path=/?ms=2000",), id="one thread, and requests of two seconds"),
        pytest.param(
            Shape(2, 4),
            (("lazy-apps", None),),
            300,
            (),
            id="less memory, each worker with its own import",
            marks=pytest.mark.thorough,
        ),
        pytest.param(Shape(1, 8), (("cron", "-1 -1 -1 -1 -1 true"),), 300, (), id="no second generation"),
    ],
)
def test_a_leak_of_a_megabyte_a_request_ends_no_process_and_fails_no_request(
    limited, pod, shape, options, megabytes, beside
):
    cgroup = limited(megabytes)
    running = pod(cgroup=cgroup.path, shape=shape, options=options)
    running.until(lambda: running.ready()[0] == 200, "it is ready")
    # Long enough for two of them: the first when the limit is near, the next one while there is room for both.
    summary, answers = leak(running, *beside, seconds=megabytes / 10)
    state = running.state()
    print(state["counts"], state["recycled"], summary["latency_ms"], cgroup.failures)
    assert summary["failures"] == {}
    assert summary["sent"] == summary["answered"] > 0
    assert answers == {(200, "requests are answered\n")}
    assert cgroup.killed == 0
    assert state["counts"]["recycles"] >= 2
    assert state["counts"]["restarts"] == 0
