"""`python -m local.images`: the command line."""

import sys

from local.images.command import main

sys.exit(main())
