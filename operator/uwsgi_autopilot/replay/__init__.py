"""`uwsgi-autopilot replay`: recorded samples through the law of today."""
