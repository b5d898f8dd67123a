"""A pod in discrete events: what the tuner is tested on where no real uWSGI runs.

Real: the interpreter lock of each process with its 5 ms switch interval, cores shared by all processes in slices, the
accept queue, a connection pool per process, a backend that may slow down, closed-loop and Poisson clients, swaps that
take time. Simulated: nginx and the load generator (CPU per request on the same cores), the thread census (looks at
20 Hz, so it has the noise of a real one). Left out: memory pressure, harakiri, the kernel's wake-up preferences.

It knows nothing of the tuner's model: throughput comes out of events, not out of a formula.
"""
