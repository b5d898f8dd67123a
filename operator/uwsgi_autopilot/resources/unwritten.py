"""Why an application's objects were not written, or not read: a reason and a sentence for each kind of failure."""

import re
from traceback import walk_tb

from uwsgi_autopilot.errors import SpecError
from uwsgi_autopilot.report.text import safe
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.causes import Cause

# The API server's words before it comes to the point: for a create, and for an apply.
_PREAMBLE = re.compile(
    r"^(?:\w+ in version \S+ cannot be handled as a \w+: (?:strict decoding error: |json: )?"
    r"|failed to create typed patch object \([^)]*\): \.?)"
)


def cause_of_spec(error: SpecError) -> Cause:
    """The manifest cannot be served as it is."""
    path, sentence = error.problems[0]
    more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
    if path == "spec.image":
        return Cause(reason="ImageMissing", message=safe(f"spec.image: {sentence}{more}"))
    reason = "OverlayRefused" if f"{path}.".startswith("spec.template.") else "SpecInvalid"
    return Cause(reason=reason, message=safe(f"{path}: {sentence}{more}"))


def cause_of_server(app: App | None, written: str, message: str) -> Cause:
    """The API server refused an object of the kind `written`, or something else when it is empty, with this message."""
    told = _PREAMBLE.sub("", message)
    if written == "Deployment" and app is not None and app.spec["template"]:
        return Cause(reason="OverlayRefused", message=safe(f"spec.template: the API server refused the pod: {told}"))
    what = f"the {written}" if written else "a request of the operator"
    return Cause(reason="ApplyRefused", message=safe(f"the API server refused {what}: {told}"))


def cause_of_failure(message: str) -> Cause:
    """The API server fails, or does not answer, several times in a row."""
    return Cause(
        reason="ApiServerFails",
        message=safe(f"what is serving stays as it is, and the operator keeps trying: {message}"),
    )


def cause_of_fault(error: BaseException) -> Cause:
    """A bug of ours. Its own message may hold values of the manifest, so it goes to the log alone."""
    told = f"{type(error).__name__} at {place_of(error)}: this is a bug in the operator, not in the manifest"
    return Cause(
        reason="InternalError",
        message=f"{told}; what is serving stays as it is, the operator keeps trying, and its log says more",
    )


def place_of(error: BaseException) -> str:
    """The innermost line of our code on its way, such as merge.py:71."""
    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    ours = [(file.rpartition("/")[2], line) for file, line in places if "/uwsgi_autopilot/" in file]
    return "{}:{}".format(*ours[-1]) if ours else "an unknown place"
