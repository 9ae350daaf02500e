#!/bin/sh
# Checks the models in every interleaving, and that they can fail: with a protocol that is known to be
# wrong spin has to find a violation. Needs spin and gcc; works in a temporary directory.
set -eu

models=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

memory_mb=1800
depth=100000

# explore MODEL NAME [DEFINE]: leaves the result in NAME.out.
explore() {
  mkdir "$work/$2"
  cd "$work/$2"
  spin -a ${3:-} "$models/$1.pml" > spin.out || { cat spin.out; exit 3; }
  gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=$memory_mb -o pan pan.c
  ./pan -m$depth > ../"$2.out" 2>&1 || true
  if grep -q -e 'max search depth too small' -e 'out of memory' -e 'Search not completed' "../$2.out" &&
      ! grep -q 'errors: [1-9]' "../$2.out"; then
    cat "../$2.out"
    echo "the model $1 was not explored completely; raise the limits in $0" >&2
    exit 3
  fi
}

# holds MODEL: no violation, and every assertion is reached.
holds() {
  explore "$1" "$1"
  if ! grep -q 'errors: 0' "$work/$1.out"; then
    cat "$work/$1.out"
    cd "$work/$1" && spin -t -p -g "$models/$1.pml" || true
    echo "the model $1 is violated" >&2
    exit 1
  fi
  if grep "$1.pml:.*assert" "$work/$1.out"; then
    echo 'the assertions above are never reached' >&2
    exit 1
  fi
  echo "$1: $(grep 'states, stored' "$work/$1.out" | tr -s ' '), no violation"
}

# fails MODEL DEFINE: the wrong protocol that DEFINE stands for is found out.
fails() {
  explore "$1" "$2" "-D$2"
  if ! grep -q 'assertion violated' "$work/$2.out"; then
    cat "$work/$2.out"
    echo "the model $1 did not notice $2" >&2
    exit 1
  fi
  echo "$1 with $2: $(grep 'assertion violated' "$work/$2.out" | tr -s ' '), as it must be"
}

holds seal
fails seal SEAL_BEHIND_COMMIT
holds turn
fails turn LOOK_BEFORE_MARK
fails turn OPEN_BEFORE_DISK
