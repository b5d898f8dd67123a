"""Wait until the application of a session is served, or say why it cannot be, with what it printed."""

import time
from collections.abc import Callable

from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.local.files import FAILURE
from uwsgi_autopilot.local.session import Session
from uwsgi_autopilot.report.text import readable

# An application that answers only 5xx for this long is not just waiting for its database to start.
FAILING_SECONDS = 15.0
# How much of the output is repeated when it ends: enough for one traceback.
LAST_LINES = 25


def wait_ready(session: Session, timeout: float = 310.0, say: Callable[[str], None] = lambda text: None) -> None:
    """Wait until the application answers below 500. Raises NotServing with its own output if it cannot.

    say: called once, with one line, when it starts to fail.
    """
    deadline = time.monotonic() + timeout
    children, module = session.children, session.app.module
    agent = children["agent"]
    failing_since: float | None = None
    while time.monotonic() < deadline:
        if agent.poll() is not None:
            children.wait_for_output("agent")
            raise NotServing(f"{module} could not be served from {session.folder}: {_why_not(session)}")
        session.children.revive(but="agent")
        session.poll()
        state = session.state
        if state and state.ready and session.answers():
            return
        if state is None or not state.failing:
            failing_since = None
        elif failing_since is None:
            failing_since = time.monotonic()
            say(f"every request fails so far: {state.why}")
        elif time.monotonic() - failing_since > FAILING_SECONDS:
            raise NotServing(_only_failures(session, state.why))
        time.sleep(0.05)
    why = session.state.why if session.state else session.pod.problem or "the agent does not answer"
    raise NotServing(f"{module} did not answer within {timeout:.0f} s: {why}")


def _why_not(session: Session) -> str:
    """The agent's reason; where it had no time to give one, the last that was printed."""
    try:
        return (session.run / FAILURE).read_text(encoding="utf-8")
    except OSError:
        printed = readable("\n".join(list(session.children.last_lines)[-LAST_LINES:]))
        return printed or f"the agent ended with status {session.children['agent'].returncode}"


def _only_failures(session: Session, why: str) -> str:
    printed = "\n".join(list(session.children.last_lines)[-LAST_LINES:])
    return (
        f"{session.app.module} answers no request from {session.folder}: {why}. Fix it, or set spec.health.path "
        f"to a page that works. Its last output:\n{printed}"
    )
