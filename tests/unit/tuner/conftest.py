"""The tuner on samples: hand-made ones (samples.py), or those of a simulated pod (tests/simulator).

Real here: every function of the tuner. Not real: uWSGI, the machine, and time, which comes in with the samples.
"""
