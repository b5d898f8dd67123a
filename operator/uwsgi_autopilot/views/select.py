"""Which view: the panel on a terminal, lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from uwsgi_autopilot.local.run import View
from uwsgi_autopilot.views.lines import LinesView
from uwsgi_autopilot.views.live import LiveView


@contextmanager
def view_for_output() -> Iterator[View]:
    if sys.stdout.isatty():
        with LiveView() as live:
            yield live
    else:
        yield LinesView()
