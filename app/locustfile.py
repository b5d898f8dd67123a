"""Users that visit the application:  locust --host http://localhost:8088  and open http://localhost:8089

On a terminal alone:  locust --host http://localhost:8088 --headless --users 50 --spawn-rate 10 --run-time 1m
Only one kind of page:  locust --host http://localhost:8088 --tags io
"""

from locust import FastHttpUser, constant, tag, task


class Visitor(FastHttpUser):
    """Asks for the next page as soon as the last has come; the numbers are how often, one against another."""

    wait_time = constant(0)

    @tag("mixed")
    @task(6)
    def mixed(self) -> None:
        self.client.get("/mixed?wait=20&cpu=2", name="/mixed")

    @tag("io")
    @task(3)
    def io(self) -> None:
        self.client.get("/io?ms=100", name="/io")

    @tag("cpu")
    @task(1)
    def cpu(self) -> None:
        self.client.get("/cpu?ms=5", name="/cpu")
