#!/bin/sh
# Gives each service its role and its database; run again, it mends what differs. It waits for the server, but not for ever.
#
#   PGHOST     the server        SUPERUSER  a folder with the files username and password
#   SCRIPTS    provision.sql     DATABASES  a folder for each database, with the files username, password and database
#   WAIT       seconds
set -eu

fail() {
  echo "provision: $*" >&2
  exit 1
}

export PGCONNECT_TIMEOUT=5
left=$WAIT
until pg_isready --quiet --timeout=3; do
  [ "$left" -gt 0 ] || fail "PostgreSQL at $PGHOST has not answered for $WAIT seconds"
  left=$((left - 1))
  sleep 1
done

PGUSER=$(cat "$SUPERUSER/username")
PGPASSWORD=$(cat "$SUPERUSER/password")
export PGUSER PGPASSWORD

for folder in "$DATABASES"/*/; do
  name=$(basename "$folder")
  for key in username password database; do
    [ -s "$folder$key" ] || fail "the Secret for $name has no $key"
  done
  [ "$(cat "${folder}username")" != "$PGUSER" ] || fail "the Secret for $name names the superuser"
  case $(cat "${folder}database") in
    postgres | template0 | template1) fail "the Secret for $name names a database of PostgreSQL's own" ;;
  esac
  FOLDER=$folder psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres --file="$SCRIPTS/provision.sql" ||
    fail "$name could not be provided for"
  echo "provision: $name has its role and its database"
done
