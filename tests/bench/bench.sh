#!/usr/bin/env bash
# Understudy against the bare driver on a PostgreSQL server of its own, default settings.
#   bench.sh BUILD-DIRECTORY [--seconds S] [--rounds N] [--connections N] [--encrypt]
# Prints a table of medians. Figures are for reading: the exit code is 0 when everything ran.
set -euo pipefail

readonly here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
usage() {
  echo "usage: bench.sh BUILD-DIRECTORY [--seconds S] [--rounds N] [--connections N] [--encrypt]"
  echo "  --encrypt   the journal is encrypted; lines have the same form, to be compared side by side"
}

build="${1:-}"
[[ -d $build ]] || { usage >&2 && exit 2; }
build="$(readlink -f "$build")"
shift
seconds=3 rounds=5 connections=8 encrypted=
while (($#)); do
  case "$1" in
    --encrypt)
      encrypted=1
      shift
      continue
      ;;
    --seconds) seconds="$2" ;;
    --rounds) rounds="$2" ;;
    --connections) connections="$2" ;;
    --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done

readonly drain_seconds_max=600
readonly scratch="$(mktemp -d "${TMPDIR:-/tmp}/understudy-bench.XXXXXX")"
chmod 0755 "$scratch"
export UNDERSTUDY_HOME="$scratch/home"
export ODBCSYSINI="$scratch/odbc" ODBCINI="$scratch/odbc/odbc.ini"
unset ODBCINSTINI
mkdir -p "$UNDERSTUDY_HOME" "$ODBCSYSINI"
source "$here/../support/postgres.sh"
source "$here/../support/processes.sh"

segments=
finish() {
  local code=$?
  trap - EXIT
  if ((code != 0)); then
    echo "bench: FAILED" >&2
    tail -n 15 "$scratch"/*.log "$UNDERSTUDY_HOME"/*/*.log >&2 2>/dev/null || true
    "$build/understudy" cancel bench >/dev/null 2>&1 || true
  fi
  local pid
  [[ -n $segments ]] || segments="$(own_segments "$build" | grep -e '-bench$' || true)"
  for pid in $(own_processes "$build"); do kill "$pid" 2>/dev/null || true; done
  [[ -z $segments ]] || rm -f "${segments%-bench}"-* # also that of the idle data source
  postgres_stop || true
  rm -rf "$scratch"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

understudy() { timeout 120 "$build/understudy" "$@" >>"$scratch/tool.log" 2>&1; }

connection() {
  echo "Driver=PostgreSQL Unicode;Servername=127.0.0.1;Port=$postgres_port;Database=$1;UID=postgres"
}

# data_source NAME DATABASE [LINE...]
data_source() {
  printf '[%s]\nServername=127.0.0.1\nPort=%s\nDatabase=%s\nUserName=postgres\n' "$1" \
    "$postgres_port" "$2"
  printf '%s\n' "${@:3}" ""
}

write_odbc_files() {
  cat >"$ODBCSYSINI/odbcinst.ini" <<INI
[PostgreSQL Unicode]
Driver=psqlodbcw.so
[Understudy Unicode]
Driver=$build/libunderstudyw.so
INI
  local shim=("Driver=Understudy Unicode" "RealDriver=PostgreSQL Unicode")
  {
    data_source bare plain "Driver=PostgreSQL Unicode"
    data_source idle plain "${shim[@]}" "Migration=none"
    data_source bench recorded "${shim[@]}"
  } >"$ODBCINI"
}

# The replayer alone, so that recording is measured without it and replay without recording.
replayer_pid() {
  local pid
  for pid in $(own_processes "$build"); do
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q ' replayer ' && echo "$pid"
  done
  return 0
}
stop_replayer() {
  local pid
  pid="$(replayer_pid)"
  [[ -n $pid ]] || { echo "bench: the replayer is not there" >&2 && exit 3; }
  kill "$pid"
  tail --pid="$pid" -f /dev/null
}

compare() {
  "$build/tests/bench/understudy_bench" compare "$1" "$rounds" "$seconds" "$connections" \
    bare=DSN=bare idle=DSN=idle recording=DSN=bench | tee -a "$scratch/table"
}

# Seconds until everything in the journal is on the shadow, the replayer having just begun.
drain() {
  local begin="$EPOCHREALTIME" status
  "$build/understudy" replayer bench >>"$scratch/replayer.log" 2>&1 &
  while :; do
    status="$(own_status "$build" bench)"
    (($(own_figure applied "$status") >= $(own_figure journaled "$status"))) && break
    (($(cut -d. -f1 <<<"$EPOCHREALTIME") - ${begin%.*} < drain_seconds_max)) ||
      { echo "bench: the replay did not come to its end" >&2 && exit 3; }
    sleep 0.05 # a measuring interval
  done
  awk -v from="$begin" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.2f\n", to - from }'
}

measure_replay() {
  local before after took
  before="$1"
  took="$(drain)"
  after="$(own_figure applied "$(own_status "$build" bench)")"
  awk -v n="$((after - before))" -v s="$took" -v recorded="$(awk \
    '$1 == "tpcb" && $2 == "recording" { print $3 }' "$scratch/table")" 'BEGIN {
      printf "replay of tpcb: %d transactions in %.2f s, %.0f/s; recorded at %.0f/s; ratio %.2f\n",
        n, s, n / s, recorded, n / s / recorded }'
}

measure_cutover() {
  local output load line code=0
  exec {output}< <(exec "$build/tests/bench/understudy_bench" load tpcb "$connections" DSN=bench \
    2>"$scratch/load.log")
  load=$!
  read -r -t 60 -u "$output" line && [[ $line == running ]]
  segments="$(own_segments "$build")"
  understudy verify bench
  kill -USR1 "$load"
  understudy cutover bench || code=$?
  sleep 1 # the load goes on, on the shadow
  kill -TERM "$load"
  awk '{ figure[$1] = $2 } END {
    printf "cutover under tpcb: longest call %s ms, errors %s\n", figure["longest_call_ms"],
      figure["errors"] }' <&"$output"
  wait "$load"
  echo "cutover under tpcb: writers held $(printf %.1f "$(own_figure last_hold_ms \
    "$(own_status "$build" bench)")") ms"
  return "$code"
}

postgres_start "$scratch/postgresql"
postgres_make plain recorded shadow
for database in plain recorded shadow; do postgres_psql "$database" -f "$here/schema.sql"; done
for database in plain recorded; do postgres_psql "$database" -f "$here/rows.sql"; done
write_odbc_files

key=() journal=plain
if [[ -n $encrypted ]]; then
  (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$scratch/journal.key")
  key=(--journal-key-file "$scratch/journal.key") journal=encrypted
fi
understudy create bench "${key[@]}" --production "$(connection recorded)" \
  --shadow "$(connection shadow)"
understudy start bench
stop_replayer
applied="$(own_figure applied "$(own_status "$build" bench)")"

echo "PostgreSQL, $connections connections, medians of $rounds rounds of $seconds s on $(nproc)" \
  "cores, journal $journal"
echo "workload variant transactions/s ratio lowest highest"
compare tpcb
measure_replay "$applied"
stop_replayer
compare upd1
compare sel1
drain >/dev/null
measure_cutover
understudy complete bench
