"""From a UwsgiApp to the objects and files that serve it: pure."""
