"""How the pod gets another shape: an overlap swap, or workers that come and go by uWSGI's FIFO."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulator.generation import Generation
from tests.simulator.machine import Account, Task
from uwsgi_autopilot.api.shape import Shape

if TYPE_CHECKING:
    from tests.simulator.pod import Pod

# uWSGI's master acts on a letter within a second.
FIFO_S = (0.3, 1.0)
# `-` takes an idle worker only. The agent looks so often, and swaps when none was idle for so long
# (agent/uwsgiresize.py).
LOOK_S = 0.02
SHRINK_S = 1.5
IN_PLACE_S = 60.0  # where no second generation may run


class Import(Task):
    """The new generation's master imports the application; then `done`."""

    __slots__ = ("done",)

    def __init__(self, seconds: float, done: Callable[[], None]) -> None:
        super().__init__(Account(limited=True), seconds)
        self.done = done

    def over(self) -> bool:
        self.done()
        return False


class Changes:
    """As agent/generations.py: one change at a time; when it is complete, the next towards what is wanted by then.

    in_progress: something was asked for that does not serve yet. last_at: when the last one was complete. import_s: CPU
    of an import.
    """

    def __init__(self, pod: "Pod", import_s: float) -> None:
        self.pod = pod
        self.import_s = import_s
        self.in_progress = False
        self.last_at = -1.0
        self.swaps = self.resizes = 0
        self._target = pod.shape
        self._swap_s = 0.0
        self._in_place = False

    def ask(self, shape: Shape, swap_s: float, *, in_place: bool = False) -> None:
        """In place where the threads stay, else by a swap that takes `swap_s`, or as long as the import. in_place: no
        swap where they stay."""
        self._target, self._swap_s, self._in_place = shape, swap_s, in_place
        if not self.in_progress:
            self._begin()

    def recycle(self) -> None:
        """A fresh generation of the same shape, as the memory guard asks for one."""
        if not self.in_progress:
            self.in_progress = True
            self._swap(self.pod.shape)

    def force(self, shape: Shape, seconds: float) -> None:
        """It serves after `seconds`, however busy everybody is."""
        self.in_progress = True
        self._target = shape
        self.pod.clock.after(seconds, lambda: self._forced(shape))

    def _forced(self, shape: Shape) -> None:
        serving = self.pod.serving
        if shape.threads != serving.threads:
            self._serve(shape)
            return
        for process in serving.processes[shape.processes :]:
            serving.let_go(process)
        serving.more(max(0, shape.processes - len(serving.processes)))
        self._done()

    def _begin(self) -> None:
        shape, pod = self._target, self.pod
        if shape == pod.shape:
            return
        self.in_progress = True
        if shape.threads == pod.threads:
            pod.clock.after(pod.random.uniform(*FIFO_S), lambda: self._resize(shape))
        else:
            self._swap(shape)

    def _done(self) -> None:
        self.in_progress = False
        self.last_at = self.pod.clock.now
        self._begin()

    # By a swap

    def _swap(self, shape: Shape) -> None:
        pod = self.pod
        begun, seconds = pod.clock.now, self._swap_s

        def imported() -> None:
            pod.clock.after(max(0.0, seconds - (pod.clock.now - begun)), lambda: self._serve(shape))

        if self.import_s > 0:
            pod.cpu.submit(Import(self.import_s, imported))
        else:
            imported()

    def _serve(self, shape: Shape) -> None:
        pod = self.pod
        old = pod.serving
        pod.serving = Generation(pod, old.number + 1, shape.processes, shape.threads)
        old.retire()
        if old.busy:
            pod.leaving.append(old)
        pod.notice()
        self.swaps += 1
        self._done()

    # By the FIFO

    def _resize(self, shape: Shape) -> None:
        """More workers come at once; fewer when enough are idle, one after the other."""
        pod = self.pod
        serving = pod.serving
        serving.more(max(0, shape.processes - len(serving.processes)))
        self._shrink(shape, pod.clock.now + (IN_PLACE_S if self._in_place else SHRINK_S))

    def _shrink(self, shape: Shape, until: float) -> None:
        pod = self.pod
        serving = pod.serving
        for process in [each for each in serving.processes if not each.busy]:
            if len(serving.processes) > shape.processes:
                serving.let_go(process)
        if len(serving.processes) == shape.processes:
            self.resizes += 1
            self._done()
        elif pod.clock.now < until:
            pod.clock.after(LOOK_S, lambda: self._shrink(shape, until))
        elif self._target == shape and not self._in_place:
            self._swap(shape)
        else:
            self._done()
