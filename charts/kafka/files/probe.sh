#!/bin/bash
# Succeeds when the broker answers a request: ApiVersions, which every version answers, to anybody. No JVM is started for it.
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/${1:-9092}"
# Length 15, API key 18 in version 0, correlation id 1, client id "probe".
printf '\0\0\0\017\0\022\0\0\0\0\0\001\0\005probe' >&3
# Of the answer: its length, the correlation id, and an error code that has to be 0.
answer=$(head -c 10 <&3 | od -An -v -tx1 | tr -d ' \n')
[[ ${answer:8} == 000000010000 ]]
