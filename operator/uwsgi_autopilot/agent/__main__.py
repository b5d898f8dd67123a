import sys

from uwsgi_autopilot.agent.main import main

sys.exit(main())
