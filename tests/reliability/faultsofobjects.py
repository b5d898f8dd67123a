"""Chaos among the objects: one that comes back under its name, and pods that a deleted application has left."""

import asyncio

from tests.reliability.figures import Figure
from tests.reliability.kindcluster import WEB
from tests.reliability.scene import Scene, Wrong
from uwsgi_autopilot.resources.labels import APP, DESIRED

AGAIN_SECONDS = 90.0


async def made_again(scene: Scene) -> Figure:
    name = scene.names[5]
    before = await scene.picture(name)
    old = {each.uid for each in scene.agents(name)}
    await scene.stage.api.delete("UwsgiApp", WEB, name)
    await scene.make(name, threads=7)

    def new_pods() -> bool:
        found = scene.agents(name)
        return len(found) == 2 and not old & {each.uid for each in found}

    took = await scene.stage.until("its new pods are there", new_pods, AGAIN_SECONDS)
    took += await scene.served(name, 7)
    await scene.ready(name)
    await scene.untouched(before, name)
    return Figure(
        claim="an application is deleted and made again at once",
        target=f"it is the new one's; ≤ {AGAIN_SECONDS:.0f} s",
        measured=f"the new pods serve the new pin after {took:.1f} s",
        reached=took <= AGAIN_SECONDS,
    )


async def ghosts(scene: Scene) -> Figure:
    """The deletion leaves the Deployment, its pods run on with our labels, and the name is taken again."""
    name, api = scene.names[5], scene.stage.api
    before = await scene.picture(name)
    await api.delete("UwsgiApp", WEB, name, propagationPolicy="Orphan")
    told = await annotations(scene, name)
    await scene.make(name, threads=11)
    await asyncio.sleep(20.0)
    if await annotations(scene, name) != told:
        raise Wrong(f"the pods that the deleted {name} has left were told something")
    found = await api.get("UwsgiApp", WEB, name) or {}
    words = {each["type"]: each["reason"] for each in found.get("status", {}).get("conditions", ())}
    if words.get("Ready") != "NameTaken":
        raise Wrong(f"expected the condition Ready with NameTaken, found {words}")
    for kind in ("Deployment", "Service", "PodDisruptionBudget", "ServiceAccount", "ConfigMap"):
        for body in (await api.list(kind, WEB, f"{APP}={name}"))[0]:
            if not any(each["uid"] == found["metadata"]["uid"] for each in body["metadata"].get("ownerReferences", ())):
                await api.delete(kind, WEB, body["metadata"]["name"], propagationPolicy="Background")
    took = await scene.served(name, 11, 420.0)
    await scene.untouched(before, name)
    return Figure(
        claim="ghosts: a deleted application's objects stay, and a new one has its name",
        target="ghosts are left alone and named; when they are gone it is made, within the longest retry of 5 minutes",
        measured=f"NameTaken; made and served {took:.0f} s after the ghosts were gone",
        reached=took <= 330.0,
    )


async def annotations(scene: Scene, name: str) -> dict[str, str]:
    pods, _ = await scene.stage.api.list("Pod", WEB, f"{APP}={name}")
    return {each["metadata"]["name"]: each["metadata"].get("annotations", {}).get(DESIRED, "") for each in pods}


STORIES = {"an object that comes back": made_again, "ghosts": ghosts}
