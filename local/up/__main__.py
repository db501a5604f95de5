"""`python -m local.up up|down|status`."""

import sys

from local.up.command import main

sys.exit(main())
