#!/usr/bin/env bash
# What the documents tell a reader to type exists, and what they link to is there.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
readonly build="${1:?usage: documents.sh BUILD-DIRECTORY}"

failures=0
complain() {
  echo "documents: $1" >&2
  failures=$((failures + 1))
}

mapfile -t documents < <(git ls-files --cached --others --exclude-standard -- '*.md')

usage="$(./run help)"
for command in $(grep -hoE '\./run [a-z]+' "${documents[@]}" | cut -d' ' -f2 | sort -u); do
  grep -qE "^  $command\b" <<<"$usage" || complain "./run has no command $command"
done

help="$("$build/understudy" --help)"
pattern='(^|[^[:alnum:]/_.-])understudy [a-z]+ '
for command in $(cat "${documents[@]}" | sed -n '/^```/,/^```/p' | grep -oE "$pattern" |
  grep -oE '[a-z]+ $' | sort -u); do
  grep -qE "^ +$command\b" <<<"$help" || complain "understudy has no command $command"
done

for document in "${documents[@]}"; do
  folder="$(dirname "$document")"
  for link in $(grep -oE '\]\([^)#: ]+' "$document" | cut -c3- | sort -u); do
    [[ -e $folder/$link ]] || complain "$document links to $link, which is not there"
  done
done

# The page of entry points names in the first column of its tables what the libraries export.
page=docs/reference/odbc-entry-points.md
listed="$(sed -n 's/^| \(`SQL[^|]*\)|.*/\1/p' "$page" | grep -oE 'SQL[A-Za-z]+' | sort)"
twice="$(uniq -d <<<"$listed")"
[[ -z $twice ]] || complain "$page names twice: $(tr '\n' ' ' <<<"$twice")"
for kind in w a; do
  exported="$(nm -D --defined-only --format=just-symbols "$build/libunderstudy$kind.so" | sort)"
  [[ $kind == w ]] || listed="$(grep -v 'W$' <<<"$listed")"
  drift="$(diff <(echo "$listed") <(echo "$exported") | grep '^[<>]' | tr '\n' ' ' || true)"
  [[ -z $drift ]] || complain "$page (<) and libunderstudy$kind.so (>) differ: $drift"
  # What reads and encrypts the journal is not loaded into an application, and its key never is.
  ! readelf -d "$build/libunderstudy$kind.so" | grep -q 'NEEDED.*sodium' ||
    complain "libunderstudy$kind.so needs libsodium"
done

((failures == 0)) || exit 1
echo "documents: commands and links are there"
