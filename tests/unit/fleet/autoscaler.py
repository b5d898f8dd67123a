"""An autoscaler in front of a simulated application: pods that come and go, and a load that all of them share."""

from dataclasses import replace

from tests.unit.fleet.pods import EPOCH, SimFleet

NOT_READY_S = 4  # of a new pod, from when it runs
LEAVING_S = 6  # of one that has to go


class Autoscaler:
    """`clients`: of the application; a pod that is ready has its share of them. The youngest pods go first, as a
    ReplicaSet has it."""

    def __init__(self, fleet: SimFleet, clients: int) -> None:
        self.fleet, self.clients = fleet, clients
        self.made = 0
        self.since = dict.fromkeys(fleet.infos, 0.0)
        self._share()

    def move_to(self, pods: int) -> None:
        fleet = self.fleet
        staying = [uid for uid, info in fleet.infos.items() if not info.leaving]
        for _ in range(pods - len(staying)):
            self.made += 1
            uid = f"scaled-{self.made}"
            fleet.add(uid, clients=0, seed=50 + self.made)
            fleet.infos[uid] = replace(fleet.infos[uid], ready=False, ready_at=None, created_at=EPOCH + fleet.now)
            self.since[uid] = fleet.now
        for uid in staying[pods:]:
            fleet.infos[uid] = replace(fleet.infos[uid], leaving=True, ready=False, ready_at=None)
            self.since[uid] = fleet.now
        self._share()

    def run(self, seconds: int) -> None:
        fleet = self.fleet
        for _ in range(seconds):
            fleet.run(1)
            for uid, info in list(fleet.infos.items()):
                age = fleet.now - self.since[uid]
                if info.leaving and age >= LEAVING_S:
                    fleet.remove(uid)
                elif not info.leaving and not info.ready and age >= NOT_READY_S:
                    fleet.infos[uid] = replace(info, ready=True, ready_at=EPOCH + fleet.now)
                    self._share()

    def _share(self) -> None:
        taking = [uid for uid, info in self.fleet.infos.items() if info.ready]
        for uid, agent in self.fleet.agents.items():
            share = 0
            if uid in taking:
                share = self.clients // len(taking) + (taking.index(uid) < self.clients % len(taking))
            agent.machine.set_clients(share)
