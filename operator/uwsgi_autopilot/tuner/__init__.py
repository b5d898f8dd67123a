"""The decision. Pure functions of what was measured: no I/O, no clock, standard library only."""
