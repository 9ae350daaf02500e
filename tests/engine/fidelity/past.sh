#!/usr/bin/env bash
# Once more what failed before. past.sh PROGRAM LIST
set -euo pipefail

readonly program="${1:?usage: past.sh PROGRAM LIST}" list="${2:?}"
while read -r run seed; do
  [[ $run == '#'* || -z $run ]] && continue
  UNDERSTUDY_SEED="$seed" "$program" --gtest_filter="*/$run" </dev/null
done <"$list"
