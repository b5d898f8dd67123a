"""Send requests and count: a process of its own, started by whoever needs a load. Standard library only."""
