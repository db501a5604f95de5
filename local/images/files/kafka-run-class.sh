#!/bin/bash
# Runs one of Kafka's programs with the variables that the official image's scripts know. EXTRA_ARGS is not among them here:
# it asks those scripts for a process name and a log of the collector.
set -euo pipefail

home=$(dirname "$(dirname "$(readlink -f "$0")")")
logs=${LOG_DIR:-$home/logs}
mkdir -p "$logs"

# Words, split on purpose.
# shellcheck disable=SC2206
options=(
  ${KAFKA_HEAP_OPTS:--Xmx256M}
  ${KAFKA_JVM_PERFORMANCE_OPTS:--server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:-UsePerfData -Djava.awt.headless=true}
  --sun-misc-unsafe-memory-access=allow
  ${KAFKA_JMX_OPTS:-}
  "-Dkafka.logs.dir=$logs"
  ${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=$home/config/log4j2.properties}
  ${KAFKA_OPTS:-}
)
exec "${JAVA_HOME:-/opt/java/openjdk}/bin/java" "${options[@]}" -cp "$home/libs/*" "$@"
