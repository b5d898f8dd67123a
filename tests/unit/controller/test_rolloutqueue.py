"""A new pod template of the chart, and a dozen applications: who takes it over when, and what stops it."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from tests.unit.controller.making import app_body
from tests.unit.controller.scene import Scene
from tests.unit.resources.making import TEMPLATE
from uwsgi_autopilot.controller.rolloutqueue import STUCK_SECONDS
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.resources.labels import TEMPLATE as MADE_FROM
from uwsgi_autopilot.resources.merge import merge

NAMES = tuple(f"app-{number:02}" for number in range(12))
SECONDS_OF_A_ROLLOUT = 8


class Cluster(Scene):
    """`second` lets one pass: the operator works off what is due, then Deployments get on. bad: what nothing comes up
    with. broken: applications that never serve, whatever they are made from."""

    def __init__(self, *names: str) -> None:
        super().__init__(*(names or NAMES))
        self.cache.listed = True
        self.now = 1000.0
        self.bad: set[str] = set()
        self.broken: set[str] = set()
        self.moved_at: dict[str, tuple[str, float]] = {}
        self.most_at_once = 0

    def upgrade(self, template: str, **spec: Any) -> None:
        """helm takes the old PodTemplate away, writes the new one and starts another operator."""
        for kind, where, name in list(self.kube.objects):
            if kind == "PodTemplate":
                del self.kube.objects[kind, where, name]
        pod = merge(TEMPLATE["template"], {"spec": {"priorityClassName": template}}, path="Deployment.spec.template")
        meta = {"namespace": "system", "name": template}
        self.kube.put({**TEMPLATE, "kind": "PodTemplate", "metadata": meta, "template": pod})
        self.lead(template)

    def lead(self, template: str = "template") -> None:
        super().lead(template)
        self.queue.serves = lambda key: self.done(key.name)
        self.queue.trouble = lambda key: "" if self.comes_up(key.name) else "the image cannot be pulled"
        self.template = template
        for key in self.cache.apps:
            self.cache.specs.mark(key)

    def deployment(self, name: str) -> dict[str, Any]:
        return self.kube.objects["Deployment", "web", name]

    def made_from(self, name: str) -> str:
        return str(self.deployment(name)["metadata"]["annotations"][MADE_FROM])

    def comes_up(self, name: str) -> bool:
        return self.made_from(name) not in self.bad and name not in self.broken

    def done(self, name: str) -> bool:
        seen = self.cache.rollouts.get(Key("web", name))
        return seen is not None and seen.done

    @property
    def of_the_new(self) -> list[str]:
        return [key.name for key in self.cache.apps if self.made_from(key.name) == self.template]

    async def second(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += 1.0
            self.queue.turn(self.now)
            while len(self.cache.specs):
                key = await self.cache.specs.take()
                await self.reconciler.reconcile(key)
                self.cache.specs.done(key)
            self._get_on()

    def _get_on(self) -> None:
        names = [key.name for key in self.cache.apps]
        for name in names:
            body = self.deployment(name)
            of, since = self.moved_at.get(name, ("", 0.0))
            if of != self.made_from(name):
                of, since = self.moved_at[name] = (self.made_from(name), self.now)
            there = self.now - since >= SECONDS_OF_A_ROLLOUT and self.comes_up(name)
            body["status"] = {"replicas": 1, "updatedReplicas": int(there), "availableReplicas": int(there)}
        for body in list(self.kube.objects.values()):
            if body["kind"] in ("Deployment", "ConfigMap", "Service") and body["metadata"]["namespace"] == "web":
                self.cache.child(body)
        self.most_at_once = max(self.most_at_once, sum(not self.done(name) for name in names))

    def words(self, names: Iterable[str]) -> set[str]:
        found = {self.queue.word(Key("web", name)) for name in names}
        return {word[1] if word else "" for word in found}


def story(tell: Any) -> None:
    asyncio.run(tell())


async def installed(*names: str) -> Cluster:
    cluster = Cluster(*names)
    await cluster.second(20)
    assert all(cluster.done(key.name) for key in cluster.cache.apps)
    cluster.most_at_once = 0
    return cluster


def test_one_takes_it_over_then_five_at_a_time() -> None:
    async def tell() -> None:
        cluster = await installed()
        cluster.upgrade("better")
        await cluster.second(SECONDS_OF_A_ROLLOUT - 1)
        assert cluster.of_the_new == ["app-00"]
        assert cluster.words(NAMES[1:]) == {"TemplateRolloutWaiting"}
        await cluster.second(6)
        assert len(cluster.of_the_new) == 6
        await cluster.second(5 * SECONDS_OF_A_ROLLOUT)
        assert cluster.of_the_new == list(NAMES)
        assert cluster.most_at_once == 5
        assert cluster.words(NAMES) == {""}

    story(tell)


def test_two_that_do_not_come_up_stop_it_and_another_template_goes_on_with_them_first() -> None:
    async def tell() -> None:
        cluster = await installed()
        cluster.bad = {"worse"}
        cluster.upgrade("worse")
        await cluster.second(300)
        assert cluster.of_the_new == ["app-00", "app-01"]
        assert cluster.words(NAMES[2:]) == {"TemplateRolloutHalted"}
        assert cluster.queue.counts() == {"waiting": 10, "rolling": 0, "failed": 2, "held": 0}

        cluster.upgrade("better")
        await cluster.second(2)
        assert cluster.of_the_new == ["app-00"]
        await cluster.second(10 * SECONDS_OF_A_ROLLOUT)
        assert cluster.of_the_new == list(NAMES)

    story(tell)


def test_it_goes_on_when_one_of_the_two_serves_after_all() -> None:
    async def tell() -> None:
        cluster = await installed()
        cluster.bad = {"worse"}
        cluster.upgrade("worse")
        await cluster.second(200)
        cluster.bad = set()
        await cluster.second(10 * SECONDS_OF_A_ROLLOUT)
        assert cluster.of_the_new == list(NAMES)

    story(tell)


@pytest.mark.parametrize("seconds", [2, SECONDS_OF_A_ROLLOUT + 4, 200])
def test_another_leader_goes_on_where_this_one_was(seconds: int) -> None:
    """Neither more at once, nor past the two that failed."""

    async def tell() -> None:
        cluster = await installed()
        cluster.bad = {"worse"} if seconds == 200 else set()
        cluster.upgrade("worse")
        await cluster.second(seconds)
        known = set(cluster.of_the_new)
        cluster.lead("worse")
        await cluster.second(int(STUCK_SECONDS) + 200)
        if seconds == 200:
            assert set(cluster.of_the_new) == known == {"app-00", "app-01"}
        else:
            assert cluster.of_the_new == list(NAMES)
        assert cluster.most_at_once <= 5

    story(tell)


def test_who_has_troubles_of_its_own_waits_and_proves_nothing() -> None:
    async def tell() -> None:
        cluster = Cluster(*NAMES[:5])
        cluster.broken = set(NAMES[:3])
        await cluster.second(20)
        cluster.upgrade("better")
        await cluster.second(100)
        assert cluster.of_the_new == ["app-03", "app-04"]
        cluster.broken = set()
        await cluster.second(100)
        assert cluster.of_the_new == list(NAMES[:5])

    story(tell)


def test_while_it_waits_an_application_is_put_right_from_the_template_that_it_was_made_from() -> None:
    async def tell() -> None:
        cluster = await installed(*NAMES[:3])
        cluster.bad = {"worse"}
        cluster.upgrade("worse")
        await cluster.second(100)
        before = cluster.deployment("app-02")["spec"]["template"]
        edited = {**cluster.deployment("app-02")}
        edited["spec"] = {
            **edited["spec"],
            "template": merge(before, {"spec": {"hostNetwork": True}}, path="Deployment.spec.template"),
        }
        cluster.kube.put(edited)
        await cluster.second()
        await asyncio.sleep(0.2)  # the cache lets a child's news gather for a moment
        await cluster.second()
        assert cluster.deployment("app-02")["spec"]["template"] == before

    story(tell)


def test_a_change_of_its_own_does_not_wait_for_the_others() -> None:
    async def tell() -> None:
        cluster = await installed(*NAMES[:3])
        cluster.bad = {"worse"}
        cluster.upgrade("worse")
        await cluster.second(100)
        changed = app_body("app-02", generation=2)
        changed["spec"]["image"] = "shop:2"
        cluster.kube.put(changed)
        cluster.cache.app(changed)
        await cluster.second(3)
        assert "app-02" in cluster.of_the_new

    story(tell)


def test_earlier_templates_are_kept_as_long_as_somebody_is_made_from_them() -> None:
    async def tell() -> None:
        cluster = await installed(*NAMES[:3])
        cluster.upgrade("better")
        await cluster.second(2)
        used = {seen.made.template for seen in cluster.cache.rollouts.values()}
        await cluster.reconciler.chart.forget_unused(used)
        assert {name for kind, _, name in cluster.kube.objects if kind == "ControllerRevision"} == {
            "template",
            "better",
        }
        await cluster.second(100)
        used = {seen.made.template for seen in cluster.cache.rollouts.values()}
        await cluster.reconciler.chart.forget_unused(used)
        assert {name for kind, _, name in cluster.kube.objects if kind == "ControllerRevision"} == {"better"}

    story(tell)


def test_while_helm_upgrades_the_operator_that_still_runs_goes_on() -> None:
    """helm has deleted its PodTemplate, and its pod ends some seconds later."""

    async def tell() -> None:
        cluster = await installed("app-00")
        del cluster.kube.objects["PodTemplate", "system", "template"]
        cluster.reconciler.chart._read_at = float("-inf")
        changed = app_body("app-00", generation=2)
        changed["spec"]["image"] = "shop:2"
        cluster.kube.put(changed)
        cluster.cache.app(changed)
        await cluster.second(3)
        (app,) = (
            each
            for each in cluster.deployment("app-00")["spec"]["template"]["spec"]["containers"]
            if each["name"] == "app"
        )
        assert app["image"] == "shop:2"

    story(tell)


def test_a_deployment_that_nobody_can_make_as_it_was_stays_as_it_is() -> None:
    """An operator from before this queue has made it, and kept no template."""

    async def tell() -> None:
        cluster = await installed(*NAMES[:3])
        del cluster.kube.objects["ControllerRevision", "system", "template"]
        before = {name: cluster.deployment(name) for name in NAMES[:3]}
        cluster.bad = {"worse"}
        cluster.upgrade("worse")
        await cluster.second(100)
        assert cluster.kube.writes("delete") == []
        assert cluster.deployment("app-02")["metadata"]["uid"] == before["app-02"]["metadata"]["uid"]
        assert cluster.made_from("app-02") == "template"

    story(tell)
