# Sourced by demo.sh: the two databases as SQLite files.
engine_title="SQLite"

engine_start() { :; }
engine_stop() { :; }
engine_load() { sqlite3 -bail "$scratch/$1.db" <"$here/sqlite/$1.sql" >/dev/null; }
engine_query() { sqlite3 -bail -noheader "$scratch/$1.db" "$2"; }
engine_connection() { echo "Driver=SQLite3;Database=$scratch/$1.db"; }

# The first two lines are all that changes in the shop's data source.
engine_dsn() {
  cat <<INI
Driver=Understudy ANSI
RealDriver=SQLite3
Database=$scratch/production.db
INI
}
