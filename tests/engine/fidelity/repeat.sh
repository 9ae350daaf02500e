#!/usr/bin/env bash
# Fresh seeds until the time is over or a run fails. repeat.sh BUILD-DIRECTORY MINUTES [GTEST-FILTER]
set -euo pipefail

readonly build="${1:?usage: repeat.sh BUILD-DIRECTORY MINUTES [GTEST-FILTER]}" minutes="${2:?}"
readonly filter="${3:-*}"
[[ $minutes =~ ^[0-9]+$ ]] || { echo "fidelity: not a number of minutes: $minutes" >&2 && exit 2; }
runs=0
while ((SECONDS < minutes * 60)); do
  UNDERSTUDY_SEED=$((RANDOM * 32768 + RANDOM)) "$build/tests/engine/fidelity/fidelity_tests" \
    --gtest_filter="$filter"
  runs=$((runs + 1))
done
echo "fidelity: $runs rounds, every row equal"
