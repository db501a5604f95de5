"""`python -m local up|down|status|clean-data`."""

import sys

from local.command import main

sys.exit(main())
