# Sourced by demo.sh: a PostgreSQL server of its own on loopback, with two databases.
engine_title="PostgreSQL"
source "$here/../support/postgres.sh"

engine_start() {
  postgres_start "$scratch/postgresql" || fail "PostgreSQL did not start"
  postgres_make production shadow || fail "the databases could not be made"
}
engine_stop() { postgres_stop; }
engine_load() { postgres_psql "$1" -f "$here/postgresql/$1.sql" >"$scratch/load.log" 2>&1; }
engine_query() { postgres_psql "$1" -c "$2"; }
engine_connection() {
  echo "Driver=PostgreSQL Unicode;Servername=127.0.0.1;Port=$postgres_port;Database=$1;UID=postgres"
}

# The first two lines are all that changes in the shop's data source.
engine_dsn() {
  cat <<INI
Driver=Understudy Unicode
RealDriver=PostgreSQL Unicode
Servername=127.0.0.1
Port=$postgres_port
Database=production
UserName=postgres
INI
}
