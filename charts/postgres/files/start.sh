#!/bin/sh
# Makes the cluster at the first start, and becomes the server at every start. It needs nothing of the image but the
# programs on PATH. The superuser's password is set anew each time: it is always the one in the Secret.
#
#   VOLUME     the folder that lasts          SETTINGS   a folder with postgresql.conf, pg_hba.conf, superuser.sql
#   PGDATA     the cluster, inside VOLUME     SUPERUSER  a folder with the files username and password
set -eu
umask 077
# Process 1 ignores signals that it does not handle.
trap 'exit 143' TERM INT

fail() {
  echo "start: $*" >&2
  exit 1
}

quoted() {
  printf "'%s'" "$(sed "s/'/''/g" "$SUPERUSER/$1")"
}

for key in username password; do
  [ -s "$SUPERUSER/$key" ] || fail "the superuser's Secret has no $key"
  [ "$(wc -l <"$SUPERUSER/$key")" -le 1 ] || fail "the superuser's $key has more than one line"
done

# PostgreSQL's own lock holds a process id, which says nothing to another container: two servers on one folder would
# destroy it. This lock is kept, through exec, as long as a process of the server lives. Not every file system has locks.
exec 9>"$VOLUME/lock"
flock --nonblock --conflict-exit-code 75 9 || [ $? -ne 75 ] || fail "another server uses this volume"

if [ ! -e "$PGDATA" ]; then
  # Renamed when complete, because a container may be killed at any moment.
  rm -rf "$PGDATA.new"
  # The collation is PostgreSQL's own, so that an image with another libc keeps the indexes valid.
  initdb --pgdata="$PGDATA.new" --username="$(cat "$SUPERUSER/username")" --pwfile="$SUPERUSER/password" \
    --auth=scram-sha-256 --data-checksums --encoding=UTF8 --no-locale --locale-provider=builtin --builtin-locale=C.UTF-8 \
    --no-instructions
  mv "$PGDATA.new" "$PGDATA"
  sync "$VOLUME"
fi
# A volume's group may have been given to everything in it when it was mounted, which the server refuses.
chmod 00700 "$PGDATA"

# Nothing listens yet, so nobody waits. No setting may bring the password into the log. An empty line ends a statement.
{
  printf '%s;\n\n' "SET start.username = $(quoted username)" "SET start.password = $(quoted password)"
  cat "$SETTINGS/superuser.sql"
} |
  postgres --single -j -D "$PGDATA" -c "config_file=$SETTINGS/postgresql.conf" -c exit_on_error=on -c log_statement=none \
    -c log_min_error_statement=panic -c log_min_duration_statement=-1 -c log_checkpoints=off postgres >/dev/null ||
  fail "the superuser's password could not be set"

exec postgres -D "$PGDATA" -c "config_file=$SETTINGS/postgresql.conf" -c "hba_file=$SETTINGS/pg_hba.conf"
