"""Who is to have which wish, and whose turn it is to get it. Pure: the caller writes.

Level-triggered: each look compares every pod with its target, so a write that failed is made again.
"""

from collections import Counter
from dataclasses import dataclass, field

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.wish import Wish, WishError, parse_wish
from uwsgi_autopilot.controller.podview import Pods, PodView
from uwsgi_autopilot.controller.trial import NOT_DELIVERED_SECONDS, TRIAL_SECONDS

MOST_TOLD = 2**52


@dataclass(slots=True)
class Wishes:
    """promoted: what every pod is to have, and new ones start with. seq: the greatest one given out.

    own: wishes for single pods, by uid, newer than the promoted one. written: when which seq was written to a pod.
    late: pods that have not reported what was written, for too long.
    """

    promoted: Wish
    seq: int = 0
    own: dict[str, Wish] = field(default_factory=dict)
    written: dict[str, tuple[int, float]] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)

    @property
    def shape(self) -> Shape:
        return self.promoted.shape

    def of(self, uid: str) -> Wish:
        own = self.own.get(uid)
        return own if own is not None and own.seq > self.promoted.seq else self.promoted

    def one(self, uid: str, shape: Shape, *, trial_seconds: float | None = TRIAL_SECONDS) -> int:
        self.seq += 1
        self.own[uid] = Wish(seq=self.seq, shape=shape, uid=uid, trial_seconds=trial_seconds)
        return self.seq

    def everyone(self, shape: Shape) -> int:
        self.seq += 1
        self.promoted = Wish(seq=self.seq, shape=shape)
        self.own.clear()
        return self.seq

    def learn(self, pods: Pods) -> None:
        """Start above every seq that any pod has ever seen: what this operator remembers may be older."""
        for view in pods.values():
            seen = seq_of(view.seen.wanted if view.seen else None)
            told = view.state.seq if view.state else 0
            # A pod that claims the last number there is must not leave none for the others.
            self.seq = max(self.seq, *(each if each < MOST_TOLD else 0 for each in (seen, told)))

    def forget(self, uids: set[str]) -> None:
        self.own = {uid: wish for uid, wish in self.own.items() if uid in uids}
        self.written = {uid: at for uid, at in self.written.items() if uid in uids}
        self.late &= uids

    def to_write(self, pods: Pods) -> list[tuple[PodView, Wish]]:
        """Those whose annotation is to change now. A change of threads replaces the generation, which needs CPU and
        memory for two: at most half of the pods do that at a time."""
        turns = max(1, len(pods) // 2) - sum(self.swapping(view) for view in pods.values())
        chosen = []
        for view in pods.values():
            wish = self.of(view.uid)
            if view.state is None or view.seen is None or view.seen.leaving or wish.seq == 0:
                continue
            if view.state.seq >= wish.seq or seq_of(view.seen.wanted) >= wish.seq:
                continue
            swap = view.shape is None or view.shape.threads != wish.shape.threads
            if swap and turns <= 0:
                continue
            turns -= swap
            chosen.append((view, wish))
        return chosen

    def wrote(self, view: PodView, wish: Wish, at: float) -> None:
        self.written[view.uid] = (wish.seq, at)
        self.late.discard(view.uid)

    def swapping(self, view: PodView) -> bool:
        """Its annotation has a wish that it has not carried out yet."""
        wish = self.of(view.uid)
        if view.state is None or view.seen is None or seq_of(view.seen.wanted) < wish.seq or wish.seq == 0:
            return False
        return view.state.seq < wish.seq or view.state.changing

    def open_for(self, view: PodView) -> bool:
        return view.state is None or view.state.seq < self.of(view.uid).seq or view.state.changing

    def undelivered(self, pods: Pods, now: float) -> list[tuple[PodView, Wish]]:
        """Those who were written to long ago and have not reported it. Each is named once."""
        late = []
        for view in pods.values():
            seq, at = self.written.get(view.uid, (0, now))
            behind = view.state is not None and view.state.seq < seq and now - at > NOT_DELIVERED_SECONDS
            if behind and view.uid not in self.late:
                late.append((view, self.of(view.uid)))
                self.late.add(view.uid)
        return late

    def unnumbered(self, pods: Pods) -> bool:
        """Nothing was ever promoted, and a pod started from another shape: the number 0 would never reach it."""
        states = [view.state for view in pods.values() if view.state is not None]
        return self.promoted.seq == 0 and any(
            state.seq == 0 and state.target != self.shape and state.refused is None for state in states
        )

    def taken_by_none(self, pods: Pods) -> Shape | None:
        """What most pods serve instead, when every one of them was asked for the promoted shape and could not."""
        states = [view.state for view in pods.values() if view.state is not None]
        refused = [
            state.target != self.shape and state.gave_up(self.promoted.seq, self.shape) is not None for state in states
        ]
        shapes = Counter(state.shape for state in states if state.shape not in (None, self.shape))
        return shapes.most_common(1)[0][0] if shapes and all(refused) else None

    def unfinished(self, pods: Pods) -> str | None:
        """Is a promotion still on its way? Until it has arrived nothing can be compared."""
        behind = [view for view in pods.values() if view.state is not None and self.open_for(view)]
        behind = [view for view in behind if view.uid not in self.late and not _refused(view, self.of(view.uid))]
        if not behind:
            return None
        return f"{len(behind)} of {len(pods)} pods are still changing to {self.shape}"


def _refused(view: PodView, wish: Wish) -> bool:
    said = view.state.refused if view.state else None
    return said is not None and said.seq == wish.seq


def seq_of(text: str | None) -> int:
    try:
        return parse_wish(text).seq if text else 0
    except WishError:
        return 0
