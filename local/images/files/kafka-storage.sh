#!/bin/bash
# kafka-storage.sh format|info|random-uuid …: what a broker's folders hold.
exec "$(dirname "$0")/kafka-run-class.sh" kafka.tools.StorageTool "$@"
