"""How good is the shape that the autopilot finds? `python -m bench` measures it against a grid of fixed shapes."""
