#!/usr/bin/env bash
# One fuzzer. run.sh PROGRAM [CORPUS]
# For 60 seconds from the same seed each time, so that a test run tells of the change it runs on; with
# UNDERSTUDY_FUZZ_SECONDS, that long from a fresh seed.
# What it finds goes beside the program: new inputs to NAME.corpus/, a failing one to NAME.failed-*.
set -euo pipefail

readonly program="${1:?usage: run.sh PROGRAM [CORPUS]}" corpus="${2:-}"
readonly seconds="${UNDERSTUDY_FUZZ_SECONDS:-60}" seed="${UNDERSTUDY_FUZZ_SECONDS:+0}"
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "fuzz: not a number of seconds: $seconds" >&2 && exit 2; }
mkdir -p "$program.corpus"
TMPDIR="$(mktemp -d -p "$([[ -d /dev/shm ]] && echo /dev/shm || echo /tmp)" fuzz-XXXXXX)"
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
seeds=()
[[ -d $corpus ]] && seeds=("$corpus")
"$program" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -max_total_time="$seconds" -seed="${seed:-1}" \
  -print_final_stats=1 -verbosity=0 -artifact_prefix="$program.failed-" \
  "$program.corpus" "${seeds[@]}"
