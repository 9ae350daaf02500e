#!/usr/bin/env bash
# The house of the design: what may stand at the top, who may include whom, a README in every folder.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."

failures=0
complain() {
  echo "structure: $1" >&2
  failures=$((failures + 1))
}

# Lines of C++ files below $1 that include anything below one of the other folders given.
no_includes() {
  local from="$1" to found
  shift
  for to in "$@"; do
    found="$(grep -rnE --include='*.h' --include='*.cpp' "^#include \"$to/" "$from" || true)"
    [[ -z $found ]] || complain "$from includes $to: $found"
  done
}

no_includes journal driver replayer tests
no_includes driver replayer tests
no_includes replayer driver tests
no_includes tests/demo driver journal replayer

tracked() { git ls-files --cached --others --exclude-standard -- "$@"; }

for top in $(tracked | cut -d/ -f1 | sort -u); do
  case "$top" in
    driver | journal | replayer | tests | odbcinst | docs | CMakeLists.txt | README.md | run | .*) ;;
    *) complain "$top does not belong at the top" ;;
  esac
done

for folder in $(tracked | grep / | xargs -n 50 dirname | sort -u); do
  case "$folder" in
    .* | docs/* | */golden | */golden/* | */corpus | */corpus/* | tests/demo/*) continue ;;
  esac
  [[ -f $folder/README.md ]] || complain "$folder has no README.md"
done

# A file speaks only of the project: nothing of the machine that it was written on.
machine="$(tracked | xargs grep -nIE '(^|[^[:alnum:]_./$}-])/(work|home|root)/[[:alnum:]]' || true)"
[[ -z $machine ]] || complain "absolute paths of a machine: $machine"

((failures == 0)) || exit 1
echo "structure: as the design has it"
