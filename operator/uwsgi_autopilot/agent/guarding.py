"""Give the memory guard what it has to see, and carry out what it answers."""

from uwsgi_autopilot.agent.generations import Generations
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.memoryguard import MemoryGuard, Recycle, Rest, Seen
from uwsgi_autopilot.agent.observe import Observer
from uwsgi_autopilot.api.agentconfig import AgentConfig


class Guarding:
    """Made before the first generation starts: what is in use then belongs to none. `step` once a second, after the
    Sample, whose look at the memory serves both."""

    def __init__(self, config: AgentConfig, generations: Generations, observer: Observer) -> None:
        self.config, self.generations, self.observer = config, generations, observer
        held = observer.memory.held()
        self.guard = MemoryGuard(held.used if held else 0)

    def step(self, now: float) -> None:
        generations, memory = self.generations, self.observer.memory
        serving = generations.serving
        if not self.config.memory_guard or serving is None or not generations.may_recycle:
            return
        answer = self.guard.step(
            Seen(
                now=now,
                held=memory.held(),
                generation=serving.number,
                workers=serving.shape.processes,
                parked=serving.parked_count,
                alone=generations.idle and not generations.retiring,
                start_seconds=serving.since - serving.started_at,
                longest_seconds=self.observer.oldest_s,
                beside=self.config.no_swap is None and self.config.recycle_beside,
                changed_at=generations.last_change_at,
            )
        )
        if isinstance(answer, Recycle):
            generations.recycle(answer, self._has_room, now)
        elif isinstance(answer, Rest):
            log("warning", f"memory: {answer.why}")

    def _has_room(self) -> bool:
        memory = self.observer.memory
        memory.look_again()
        return self.guard.has_room(memory.held())
