#!/bin/bash
# Gives a new volume its cluster id, and becomes the broker. It needs nothing of the image but Kafka's own programs in BIN.
#
#   VOLUME    the folder that lasts; log.dirs is in it     SETTINGS  a folder with server.properties
#   POD_NAME  ends with the broker's number                DOMAIN    what makes a pod's name an address
#   REPLICAS  how many brokers there are                   CLUSTER_ID, SCRATCH (a folder that need not last)
set -euo pipefail
# Process 1 ignores signals that it does not handle.
trap 'exit 143' TERM INT

fail() {
  echo "start: $*" >&2
  exit 1
}

# A static quorum cannot grow or shrink: new voters with empty logs could elect one of themselves, and what the old ones
# knew would be gone.
if [[ -e $VOLUME/replicas && $(<"$VOLUME/replicas") != "$REPLICAS" ]]; then
  fail "this volume belongs to a cluster of $(<"$VOLUME/replicas"), and $REPLICAS are asked for: the number cannot be changed"
fi

properties=$SCRATCH/server.properties
{
  cat "$SETTINGS/server.properties"
  echo "node.id=${POD_NAME##*-}"
  echo "advertised.listeners=PLAINTEXT://$POD_NAME.$DOMAIN:9092"
} >"$properties"

# Written last when a folder is formatted: without it, that was interrupted and is done again.
if [[ ! -e $VOLUME/logs/meta.properties ]]; then
  KAFKA_HEAP_OPTS=-Xmx128m "$BIN/kafka-storage.sh" format --ignore-formatted --cluster-id "$CLUSTER_ID" --config "$properties"
fi
echo "$REPLICAS" >"$VOLUME/replicas.new"
mv "$VOLUME/replicas.new" "$VOLUME/replicas"

exec "$BIN/kafka-server-start.sh" "$properties"
