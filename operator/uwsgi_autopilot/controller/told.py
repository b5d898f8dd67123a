"""When the status of an application deserves another look: at once for words, for figures when they are worth it."""

from collections.abc import Set
from dataclasses import dataclass, field

from uwsgi_autopilot.controller.tuningstatus import Figures, figures_of, moved, words_of
from uwsgi_autopilot.fleet.attention import is_hot
from uwsgi_autopilot.fleet.state import FleetState

FIGURES_SECONDS = 5.0
CALM_FIGURES_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Told:
    """What the status was last asked to show, and when."""

    words: object = None
    figures: Figures = field(default_factory=Figures)
    at: float = float("-inf")

    def news(self, state: FleetState, refused: Set[str], now: float) -> bool:
        """Is it to show something else now? If so, that is what it has been asked to show. refused: uids of pods."""
        figures, hot = self.figures, False
        if now - self.at >= FIGURES_SECONDS:
            figures = figures_of(state, now)
            hot = any(is_hot(state, pod) for pod in state.pods.values())
        words = (words_of(state, now), frozenset(refused))
        return self._ask(words, figures, now, moved(self.figures, figures, hot=hot))

    def trouble(self, trouble: object, now: float) -> bool:
        """The same while nothing works: then the trouble is all there is to show."""
        return self._ask(trouble, self.figures, now, False)

    def _ask(self, words: object, figures: Figures, now: float, have_moved: bool) -> bool:
        if words == self.words and not have_moved and now - self.at < CALM_FIGURES_SECONDS:
            return False
        self.words, self.figures, self.at = words, figures, now
        return True
