#!/usr/bin/env bash
# Builds the driver's and the journal's tests under each sanitizer and runs them; a report fails.
set -euo pipefail

readonly here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
readonly root="$here/../.."
readonly prefix="${1:?usage: run.sh PREFIX-OF-BUILD-DIRECTORIES [address|thread]}"

# Programs without the sanitizer's runtime cannot load the driver.
readonly starts_programs='Configuration.WorksWithIsql'

export ASAN_OPTIONS='detect_stack_use_after_return=1:strict_string_checks=1'
export UBSAN_OPTIONS='print_stacktrace=1:halt_on_error=1'
export LSAN_OPTIONS="suppressions=$here/leaks.txt:print_suppressions=0"
export TSAN_OPTIONS="suppressions=$here/threads.txt:die_after_fork=0:history_size=7"

build() {
  local directory="$1" sanitizers="$2" programs="$3"
  cmake -S "$root" -B "$directory" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_FLAGS_DEBUG='-O0 -g1' -DUNDERSTUDY_SANITIZE="$sanitizers" >/dev/null
  # shellcheck disable=SC2086
  cmake --build "$directory" -j "$(nproc)" --target $programs
}

run_quietly() {
  local log="$1" status=0
  shift
  "$@" >"$log" 2>&1 || status=$?
  ((status == 0)) && return 0
  grep -vE '^\[ +(RUN|OK) ' "$log" >&2
  echo "sanitizers: $1 failed with $status; see $log" >&2
  return 1
}

run_programs() {
  local directory="$1" failed=0
  run_quietly "$directory/unit_tests.log" "$directory/tests/unit/unit_tests" || failed=1
  run_quietly "$directory/driver_tests.log" "$directory/tests/engine/driver_tests" \
    "--gtest_filter=-$starts_programs" || failed=1
  return "$failed"
}

# The flags of one of them.
flags() { [[ $1 == address ]] && echo address,undefined || echo "$1"; }

case "${2:-all}" in
  address | thread) readonly chosen=("$2") ;;
  all) readonly chosen=(address thread) ;;
  *)
    echo 'usage: run.sh PREFIX-OF-BUILD-DIRECTORIES [address|thread]' >&2
    exit 2
    ;;
esac

# The tests wait more than they compute: the next build goes on beside them.
declare -A running
for one in "${chosen[@]}"; do
  build "$prefix-$one" "$(flags "$one")" "unit_tests driver_tests"
  run_programs "$prefix-$one" &
  running[$one]=$!
done
failures=0
for one in "${chosen[@]}"; do
  if wait "${running[$one]}"; then
    echo "sanitizers: nothing to report with $(flags "$one")"
  else
    failures=$((failures + 1))
  fi
done
((failures == 0))
