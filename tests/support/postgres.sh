# Sourced by scripts: a PostgreSQL server of its own on loopback.
# Sets `postgres_port`. The caller stops it with postgres_stop, also after a failure.
postgres_bin="$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)"
postgres_folder=
postgres_port=

# initdb and the server refuse to run as root.
postgres_as_owner() {
  if [[ $(id -u) -eq 0 ]]; then
    (cd / && exec runuser -u postgres -- "$@")
  else
    "$@"
  fi
}

# postgres_start FOLDER [SERVER-OPTION...]: a new cluster in FOLDER, which must not exist yet.
postgres_start() {
  postgres_folder="$1"
  shift
  mkdir "$postgres_folder"
  [[ $(id -u) -ne 0 ]] || chown postgres: "$postgres_folder"
  postgres_as_owner "$postgres_bin/initdb" -D "$postgres_folder/cluster" -U postgres -A trust \
    -E UTF8 --locale=C.UTF-8 >"$postgres_folder.initdb.log" 2>&1 || return 1
  local attempt options="-c listen_addresses=127.0.0.1 -c unix_socket_directories='' $*"
  for attempt in {1..10}; do # another port when somebody has taken this one
    postgres_port=$((20000 + RANDOM % 12000))
    postgres_as_owner "$postgres_bin/pg_ctl" -D "$postgres_folder/cluster" -w -t 30 \
      -l "$postgres_folder/server.log" -o "-p $postgres_port $options" start \
      >"$postgres_folder.start.log" 2>&1 && return 0
  done
  postgres_port=
  return 1
}

postgres_stop() {
  [[ -n $postgres_port ]] || return 0
  postgres_as_owner "$postgres_bin/pg_ctl" -D "$postgres_folder/cluster" -w -t 30 -m immediate \
    stop >/dev/null
  postgres_port=
}

postgres_make() { # DATABASE...
  local database
  for database in "$@"; do
    "$postgres_bin/createdb" -h 127.0.0.1 -p "$postgres_port" -U postgres "$database" || return 1
  done
}

postgres_psql() { # DATABASE ARGUMENTS...
  local database="$1"
  shift
  "$postgres_bin/psql" -qXAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$postgres_port" -U postgres \
    "$database" "$@"
}
