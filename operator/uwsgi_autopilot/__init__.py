"""uwsgi-autopilot: finds how many processes and threads a uWSGI application should have, and changes it live."""

__version__ = "0.1.0"
