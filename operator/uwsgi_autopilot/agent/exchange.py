"""The generation that serves ends first, and the next one starts once it is gone or there is room beside it.

For a reload where no generation may run beside another, and for the memory guard near the limit. Requests wait in the
socket's queue meanwhile, as they do during uWSGI's own reload.
"""

from collections.abc import Callable

from uwsgi_autopilot.agent.generation import Generation, State


class Exchange:
    """One at a time: from `begin` until the next generation serves, or has failed to."""

    def __init__(self) -> None:
        self._ending: Generation | None = None
        self._has_room: Callable[[], bool] = bool

    @property
    def under_way(self) -> bool:
        return self._ending is not None

    def begin(self, ending: Generation, has_room: Callable[[], bool], now: float) -> None:
        """has_room: whether the next one may start although `ending` has not ended."""
        # Nothing serves until it is gone, so no answer of it may last for long.
        ending.stream_seconds = None
        ending.retire(now)
        self._ending, self._has_room = ending, has_room

    def may_start(self) -> bool:
        """The next one, as far as the one that ends is concerned; True if none does."""
        return self._ending is None or self._ending.state is State.GONE or self._has_room()

    def end(self) -> None:
        self._ending = None
