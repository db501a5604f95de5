#!/bin/bash
# Becomes the Elasticsearch node. Variables with a dot in their name are its settings, as with the official image; those of
# parts that the bare server does not have are dropped. Arguments of the form -Ename=value are settings, too.
set -euo pipefail

home=/usr/share/elasticsearch
config=${ES_PATH_CONF:-$home/config}
settings=("path.home=$home" "path.data=$home/data" "path.logs=$home/logs")
if [[ ! -e $config/elasticsearch.yml ]]; then
  settings+=(cluster.name=docker-cluster network.host=0.0.0.0)
fi

while IFS= read -r -d '' variable; do
  name=${variable%%=*}
  if [[ $name =~ ^[a-z0-9_]+(\.[a-z0-9_]+)+$ && ! $name =~ ^(xpack|ingest)\. ]]; then
    settings+=("$variable")
  fi
done < <(env --null)

for argument in "$@"; do
  case $argument in
    -E*) settings+=("${argument#-E}") ;;
    eswrapper | elasticsearch) ;;
    *) exec "$@" ;;
  esac
done

# Words, split on purpose.
# shellcheck disable=SC2206
options=(
  -Xms512m -Xmx512m -XX:+UseSerialGC -XX:-UsePerfData -XX:+ExitOnOutOfMemoryError
  ${ES_JAVA_OPTS:-}
  "-Djava.io.tmpdir=${ES_TMPDIR:-/tmp}" "-Dlog4j2.configurationFile=$config/log4j2.properties"
  "-Des.path.home=$home" "-Des.path.conf=$config" -Des.distribution.type=tar
  -Dio.netty.noUnsafe=true -Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false
  --enable-native-access=ALL-UNNAMED
)
exec "${JAVA_HOME:-/opt/java/openjdk}/bin/java" "${options[@]}" -cp "$home/launcher:$home/lib/*" Launcher "${settings[@]}"
