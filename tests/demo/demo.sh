#!/usr/bin/env bash
# A shop's database is replaced by an upgraded one while the shop's program keeps writing.
#   demo.sh BUILD-DIRECTORY [sqlite|postgres]
# Every step is checked; the exit code is 0 only when nothing was lost and nothing was twice.
set -euo pipefail

readonly here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
readonly build="$(readlink -f "${1:?usage: demo.sh BUILD-DIRECTORY [sqlite|postgres]}")"
readonly engine="${2:-sqlite}"
readonly name=orders
readonly step_seconds_max=60
readonly connections=4
readonly rate=100 # pieces of work a second on each connection
readonly scratch="$(mktemp -d "${TMPDIR:-/tmp}/understudy-demo.XXXXXX")"
chmod 0755 "$scratch"

export UNDERSTUDY_HOME="$scratch/home"
export ODBCSYSINI="$scratch/odbc" ODBCINI="$scratch/odbc/odbc.ini"
unset ODBCINSTINI
mkdir -p "$UNDERSTUDY_HOME" "$ODBCSYSINI"

program= # the application's process
segments= # its shared memory
if [[ ! -f $here/engine_$engine.sh ]]; then
  echo "demo.sh: no engine called $engine; use sqlite or postgres" >&2
  rm -rf "$scratch"
  exit 2
fi
source "$here/engine_$engine.sh"
source "$here/../support/processes.sh"

finish() {
  local code=$?
  trap - EXIT
  if ((code != 0)); then
    echo "demo: FAILED" >&2
    local log
    for log in "$scratch"/*.log "$UNDERSTUDY_HOME/$name"/*.log; do
      [[ -s $log ]] || continue
      echo "--- $(basename "$log"), its last lines" >&2
      tail -n 15 "$log" >&2
    done
    "$build/understudy" cancel "$name" >/dev/null 2>&1 || true
  fi
  local pid
  for pid in $(own_processes "$build"); do kill "$pid" 2>/dev/null || true; done
  [[ -z $segments ]] || rm -f $segments
  engine_stop || true
  if [[ -n ${UNDERSTUDY_DEMO_KEEP:-} ]]; then
    echo "demo: kept $scratch"
  else
    rm -rf "$scratch"
  fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() {
  echo "demo: $1" >&2
  exit 1
}

# One step with the tool; its output is kept and shown when it fails.
understudy() {
  local code=0
  timeout "$step_seconds_max" "$build/understudy" "$@" >>"$scratch/tool.log" 2>&1 || code=$?
  ((code == 0)) || fail "understudy $1 ended with exit code $code"
}

# A figure of `status --json`.
figure() {
  own_figure "$1" "$(own_status "$build" "$name")" || fail "status --json has no figure $1"
}

# A line of what the program printed at its end.
ledger() { awk -v name="$1" '$1 == name { print $2; found = 1 } END { exit !found }' "$scratch/ledger"; }

readonly counts_sql="SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM order_lines),
  (SELECT count(*) FROM payments), (SELECT sum(amount_cents) FROM payments),
  (SELECT sum(balance_cents) FROM accounts)"

write_odbc_files() {
  cat >"$ODBCSYSINI/odbcinst.ini" <<INI
[SQLite3]
Driver=libsqlite3odbc.so
[PostgreSQL Unicode]
Driver=psqlodbcw.so
[Understudy Unicode]
Driver=$build/libunderstudyw.so
[Understudy ANSI]
Driver=$build/libunderstudya.so
INI
  { echo "[$name]" && engine_dsn; } >"$ODBCINI"
}

start_program() {
  exec {program_output}< <(exec "$build/tests/demo/orders_app" "DSN=$name" \
    --connections "$connections" --rate "$rate" --timings 2>"$scratch/program.log")
  program=$!
  local line
  read -r -t "$step_seconds_max" -u "$program_output" line || fail "the program did not start"
  [[ $line == running ]] || fail "the program said '$line'"
  segments="$(own_segments "$build")"
}

end_program() {
  kill -TERM "$program"
  cat <&"$program_output" >"$scratch/ledger"
  local code=0
  wait "$program" || code=$?
  ((code == 0)) || fail "the program saw errors or wrong data: $(tr '\n' ' ' <"$scratch/ledger")"
}

expect() {
  [[ $2 == "$3" ]] || fail "$1: expected $2, found $3"
}

# What the program says it committed, on top of what was there, is what the shadow holds.
compare_ledger() {
  local orders lines payments paid _
  IFS='|' read -r orders lines payments paid _ <<<"$1"
  orders=$((orders + $(ledger orders) - $(ledger orders_deleted)))
  lines=$((lines + $(ledger order_lines) - $(ledger lines_deleted)))
  payments=$((payments + $(ledger payments)))
  paid=$((paid + $(ledger paid_cents)))
  expect "orders, lines, payments and cents paid on the shadow" "$orders|$lines|$payments|$paid" \
    "${2%|*}"
}

say() { printf '  %-44s %s\n' "$1" "$2"; }

engine_start
engine_load production
engine_load shadow
write_odbc_files
before="$(engine_query production "$counts_sql")"
total="$(engine_query production "SELECT (SELECT count(*) FROM accounts)
  + (SELECT count(*) FROM products) + (SELECT count(*) FROM orders)
  + (SELECT count(*) FROM order_lines) + (SELECT count(*) FROM payments)")"

echo "Understudy: a shop on $engine_title moves to an upgraded database while it is open"
say "rows in production at the start" "$total"

start_program
understudy create "$name" --production "$(engine_connection production)" \
  --shadow "$(engine_connection shadow)"
understudy check "$name"
understudy start "$name"
copied="$(figure copied_rows)"
understudy verify "$name"
compared="$(figure rows_compared)" different="$(figure rows_different)"
understudy cutover "$name"
at_switch="$(engine_query production "$counts_sql")"
at_switch_status="$(own_status "$build" "$name")"
at_switch_figure() { own_figure "$1" "$at_switch_status" || fail "status --json has no figure $1"; }
expect "phase after the cutover" switched "$(at_switch_figure phase)"
sleep 1 # the shop goes on, now on the shadow
end_program

# Production follows, for the way back.
understudy verify "$name"
expect "rows different since the switch" 0 "$(figure rows_different)"
after="$(engine_query shadow "$counts_sql")"
expect "production, which follows the shadow" "$after" "$(engine_query production "$counts_sql")"
compare_ledger "$before" "$after"
[[ $after != "$at_switch" ]] || fail "the program wrote nothing on the shadow"
expect "rows different" 0 "$different"
expect "transactions in doubt" 0 "$(at_switch_figure in_doubt)"
expect "writes that could not be recorded" 0 "$(at_switch_figure uncaptured_writes)"
expect "priority of every order (the new column's default)" 3 \
  "$(engine_query shadow "SELECT DISTINCT priority FROM orders")"
replayed="$(at_switch_figure applied)" recorded="$(at_switch_figure journaled)"
understudy complete "$name"
expect "processes left behind" "" "$(own_processes "$build")"

say "rows copied" "$copied"
say "transactions recorded" "$recorded"
say "of them in the copy already" "$((recorded - replayed))"
say "of them replayed on the shadow" "$replayed"
say "rows compared before the cutover" "$compared"
say "rows different" "$different"
say "writers held at the cutover, ms" "$(printf '%.1f' "$(at_switch_figure last_hold_ms)")"
say "longest pause that the program saw, ms" "$(ledger longest_call_ms)"
say "transactions the program committed" "$(ledger transactions)"
say "errors the program saw" "$(ledger errors)"
say "reads that were not what it had written" "$(ledger read_mismatches)"
echo "The shadow holds every order and payment that the program committed, and production followed it."
