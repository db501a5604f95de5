"""`python -m local.kubernetes.node up|down|status|kubeconfig|address|load|restart|kill-containers`."""

import sys

from local.kubernetes.node.command import main

sys.exit(main())
