"""The operator as a process against a real API server, with more applications than a machine can run.

Real: the operator, the API server and its controllers (a kind cluster of its own), the chart's objects and rights, the
agents' HTTP and their rules for following a shape. Not real: the kubelet (kubelet.py writes the pods' status) and what
a pod serves (load.py computes it). `python -m tests.reliability.scale` and `.chaos` print what was measured.

    cluster.py ── makes ──► kind cluster ◄── watches, writes ── operatorprocess.py
                                 ▲                                     │ polls
    apps.py ── creates, deletes ─┤                                     ▼
                  kubelet.py ────┴── annotations, addresses ──► agents.py, load.py
"""
