#!/usr/bin/env bash
# Registers Understudy's two drivers in odbcinst.ini, or takes them out again.
#
#   register.sh [FOLDER]        FOLDER holds libunderstudyw.so and libunderstudya.so; default:
#                               the lib/*/odbc folder of the prefix this script is installed below
#   register.sh --unregister
#
# With DESTDIR set, $DESTDIR/etc/odbcinst.ini is written, and FOLDER is looked for below DESTDIR.
set -euo pipefail

here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
readonly here
readonly drivers=("Understudy Unicode" "Understudy ANSI")

fail() {
  echo "register.sh: $1" >&2
  exit "$2"
}

command -v odbcinst >/dev/null || fail "odbcinst is missing; install the package odbcinst" 3
if [[ -n ${DESTDIR:-} ]]; then
  mkdir -p "$DESTDIR/etc"
  export ODBCSYSINI="$DESTDIR/etc" ODBCINSTINI=odbcinst.ini
fi

registered() { odbcinst -q -d -n "$1" >/dev/null 2>&1; }

template= # removed at the end
unregister() {
  local driver
  for driver in "${drivers[@]}"; do
    # odbcinst counts registrations and removes a section with the last one.
    while registered "$driver"; do
      odbcinst -u -d -n "$driver" >/dev/null || fail "cannot remove [$driver]" 3
    done
  done
}

default_folder() {
  local found
  found="$(find "$here/../../../lib" -name libunderstudyw.so -path '*/odbc/*' -printf '%h\n' \
    -quit 2>/dev/null || true)"
  [[ -n $found ]] || return 0
  found="$(readlink -f "$found")"
  echo "${found#"${DESTDIR:-}"}"
}

register() {
  local folder="${1:-$(default_folder)}"
  [[ -n $folder ]] || fail "no libunderstudyw.so below this prefix; name its folder" 2
  [[ $folder == /* ]] || folder="$(readlink -f "$folder")"
  local library
  for library in libunderstudyw.so libunderstudya.so; do
    [[ -f ${DESTDIR:-}$folder/$library || -f $folder/$library ]] ||
      fail "there is no $library in $folder" 2
  done
  unregister # a second registration would only count
  template="$(mktemp)"
  trap 'rm -f "$template"' EXIT
  sed -e '/^;/d' -e "s|@FOLDER@|$folder|" "$here/understudy.ini.in" >"$template"
  odbcinst -i -d -f "$template" >/dev/null || fail "odbcinst refused; are you root?" 3
  echo "registered in $(odbcinst -j | sed -n 's/^DRIVERS\.*: //p'): ${drivers[*]}"
}

case "${1:-}" in
  --unregister) unregister ;;
  -*) fail "usage: register.sh [FOLDER] | --unregister" 2 ;;
  *) register "$@" ;;
esac
