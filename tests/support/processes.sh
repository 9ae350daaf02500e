# Sourced by scripts: what runs and stands under this script's $UNDERSTUDY_HOME.

# own_processes BUILD-DIRECTORY: numbers of the processes of that build that carry our home.
own_processes() {
  local folder pid
  for folder in /proc/[0-9]*; do
    pid="${folder#/proc/}"
    [[ $(readlink "$folder/exe" 2>/dev/null) == "$1"/* ]] || continue
    if tr '\0' '\n' 2>/dev/null <"$folder/environ" | grep -qx "UNDERSTUDY_HOME=$UNDERSTUDY_HOME"; then
      echo "$pid"
    fi
  done
  return 0
}

# own_segments BUILD-DIRECTORY: the shared memory that those processes have mapped. It outlives a
# migration, since programs may be connected; a script that throws its home away removes it.
own_segments() {
  local pid
  for pid in $(own_processes "$1"); do
    awk '$6 ~ "^/dev/shm/understudy-" { print $6 }' "/proc/$pid/maps" 2>/dev/null || true
  done | sort -u
}

# own_status BUILD-DIRECTORY MIGRATION
own_status() { "$1/understudy" status "$2" --json; }

# own_figure NAME STATUS: a scalar of `status --json`; fails when it is not there.
own_figure() {
  tr ',{}' '\n\n\n' <<<"$2" | awk -v name="\"$1\"" '
    index($0, name) { sub(/^[^:]*: */, ""); gsub(/"/, ""); sub(/ *$/, ""); print; found = 1; exit }
    END { exit !found }'
}
