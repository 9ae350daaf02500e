#!/usr/bin/env bash
# Migrations there and back for some minutes while everything dies.
#   soak.sh BUILD-DIRECTORY MINUTES [postgresql|mariadb|sqlite]
# UNDERSTUDY_SEED repeats the draws of a run.
set -euo pipefail

readonly build="${1:?usage: soak.sh BUILD-DIRECTORY MINUTES [ENGINE]}" minutes="${2:?}"
[[ $minutes =~ ^[1-9][0-9]*$ ]] || { echo "soak: not a number of minutes: $minutes" >&2 && exit 2; }
export UNDERSTUDY_SOAK_ENGINE="${3:-postgresql}"
UNDERSTUDY_SOAK_SECONDS=$((minutes * 60)) exec "$build/tests/fault/soak_tests"
