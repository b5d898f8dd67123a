"""The program beside uWSGI: owns the socket, observes, changes, verifies, drains. Standard library only."""
