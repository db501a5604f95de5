#!/bin/sh
# What has to be so before Elasticsearch starts: its configuration in a folder that it may write to, while the image's is
# read-only; and a volume that belongs to a cluster of this size.
#
#   IMAGE  the image's folder of configuration     CONFIG    the folder that replaces it
#   DATA   the volume                              REPLICAS  how many nodes there are
set -eu

if [ -e "$DATA/replicas" ] && [ "$(cat "$DATA/replicas")" != "$REPLICAS" ]; then
  # New nodes could find a majority among themselves and make a second cluster beside the first.
  echo "prepare: this volume belongs to a cluster of $(cat "$DATA/replicas"), and $REPLICAS are asked for: the number cannot be changed" >&2
  exit 1
fi
echo "$REPLICAS" >"$DATA/replicas.new"
mv "$DATA/replicas.new" "$DATA/replicas"

cp -R "$IMAGE/." "$CONFIG/"
