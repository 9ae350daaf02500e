#!/usr/bin/env bash
# clang-tidy over the product. A file that was clean is not looked at again until it, a header or
# the settings change. A run over everything takes minutes; UNDERSTUDY_TIDY=off leaves it out.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
readonly build="${1:?usage: tidy.sh BUILD-DIRECTORY}"
readonly clean="$build/tidy"

if [[ ${UNDERSTUDY_TIDY:-on} == off ]]; then
  echo "clang-tidy: left out (UNDERSTUDY_TIDY=off)"
  exit 0
fi

mkdir -p "$clean"
ground="$(find driver journal replayer -name '*.h' -print0 | sort -z |
  xargs -0 sha256sum .clang-tidy CMakeLists.txt | sha256sum | cut -d' ' -f1)"
readonly ground

todo=()
while IFS= read -r file; do
  stamp="$clean/$( (echo "$ground" && cat "$file") | sha256sum | cut -d' ' -f1)"
  [[ -e $stamp ]] || todo+=("$file" "$stamp")
done < <(find driver journal replayer -name '*.cpp' | sort)

echo "clang-tidy: $((${#todo[@]} / 2)) files"
((${#todo[@]} == 0)) && exit 0
# shellcheck disable=SC2016
printf '%s\0' "${todo[@]}" | xargs -0 -n 2 -P "$(nproc)" bash -c \
  'clang-tidy -p "$0" --quiet "$1" 2>/dev/null || { echo "clang-tidy: $1" >&2; exit 1; }; : >"$2"' \
  "$build"
