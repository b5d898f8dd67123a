"""Owns what is followed and what was last refused: news from the file goes in, the target comes out."""

from uwsgi_autopilot.agent.desired import DesiredFile, Unusable
from uwsgi_autopilot.agent.following import Following
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.desired import Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason


class Follower:
    """`following` is replaced as a whole, by the main loop. refusals: how many since the agent started."""

    def __init__(self, config: AgentConfig) -> None:
        """Reads the shape to start from."""
        self.config = config
        self.refusals = 0
        self._file = DesiredFile(config)
        self.following = Following.start(config.start, self._file.read_promoted())

    @property
    def target(self) -> Shape:
        return self.following.target

    @property
    def version(self) -> Version:
        """Of the desired shape that the target comes from."""
        return self.following.accepted.version

    @property
    def in_place(self) -> bool:
        """Whether that one must be carried out in place."""
        return self.following.accepted.in_place

    def poll(self, now: float) -> None:
        """Pick up what is new in the file, and end a trial whose time is up."""
        self._note(self.following.expire(now))
        found = self._file.poll()
        if isinstance(found, Unusable):
            self._note(
                self.following.refuse(found.reason, found.message, now, version=found.version, shape=found.shape)
            )
        elif found is not None:
            self._note(self.following.receive(found, self.config, now))

    def give_up(
        self, reason: RefusalReason, message: str, now: float, *, version: Version, shape: Shape, before: Shape
    ) -> None:
        """The generations could not carry out `shape`, which was desired as `version`."""
        self._note(self.following.give_up(reason, message, now, version=version, shape=shape, before=before))

    def _note(self, after: Following) -> None:
        before, self.following = self.following, after
        if after.accepted is not before.accepted:
            trial = f"a trial of {after.accepted.trial_seconds:g} s" if after.trial else "for good"
            log("info", f"desired shape {after.target}, {trial}", version=after.accepted.version)
        if after.refused is not None and after.refused is not before.refused:
            self.refusals += 1
            refused = after.refused
            log(
                "warning", f"{refused.reason.value}: {refused.message}",
                version=refused.version, shape=refused.shape, target=after.target,
            )  # fmt: skip
