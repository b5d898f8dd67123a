"""What the operator's log lines look like: text for a person, or one JSON object a line for what collects logs.

    {"ts": "2026-01-31T12:00:00.123Z", "level": "warning", "logger": "uwsgi_autopilot.controller.runner",
     "message": "tuned again app=team/shop", "namespace": "team", "app": "shop"}

`traceback` is there with an error that has one. Passwords, tokens and keys are hidden in both forms: the API server's
messages repeat values of manifests, and a traceback may show anything that was being read.
"""

import json
import logging
from datetime import datetime, timezone
from enum import Enum

from uwsgi_autopilot.api.uwsgiapp import KIND
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.report.secrets import masked


class LogFormat(str, Enum):
    TEXT = "text"
    JSON = "json"


class MaskedFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line = {
            "ts": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(record.getMessage()),
            **_about(record),
        }
        if record.exc_info:
            line["traceback"] = masked(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def _about(record: logging.LogRecord) -> dict[str, str]:
    """The application that the line is about: our lines have its key among their values, kopf's a reference."""
    if isinstance(record.args, tuple):
        for each in record.args:
            if isinstance(each, Key):
                return {"namespace": each.namespace, "app": each.name}
    reference = getattr(record, "k8s_ref", None)
    if not isinstance(reference, dict):
        return {}
    named = {"app" if reference.get("kind") == KIND else "object": reference.get("name")}
    told = {"namespace": reference.get("namespace"), **named}
    return {name: str(value) for name, value in told.items() if value}


def install(wanted: LogFormat) -> None:
    """For all that this process logs, kopf, asyncio and Python's warnings included."""
    handler = logging.StreamHandler()
    if wanted is LogFormat.JSON:
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(MaskedFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)
    # kopf logs every event and every watch; its warnings still come through.
    logging.getLogger("kopf").setLevel(logging.WARNING)
