#!/bin/sh
# Checks the model of the seal in every interleaving, and that the model can fail: with the seal moved
# behind COMMIT spin has to find a violation. Needs spin and gcc; works in a temporary directory.
set -eu

model=$(cd "$(dirname "$0")" && pwd)/seal.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

memory_mb=1800
depth=100000

# check NAME [DEFINE]: explores the model and leaves the result in NAME.out.
check() {
  mkdir "$work/$1"
  cd "$work/$1"
  spin -a ${2:-} "$model" > spin.out || { cat spin.out; exit 3; }
  gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=$memory_mb -o pan pan.c
  ./pan -m$depth > ../"$1.out" 2>&1 || true
  if grep -q -e 'max search depth too small' -e 'out of memory' -e 'Search not completed' "../$1.out" &&
      ! grep -q 'errors: [1-9]' "../$1.out"; then
    cat "../$1.out"
    echo "the model was not explored completely; raise the limits in $0" >&2
    exit 3
  fi
}

check seal
if ! grep -q 'errors: 0' "$work/seal.out"; then
  cat "$work/seal.out"
  cd "$work/seal" && spin -t -p -g "$model" || true
  echo 'the model of the seal is violated' >&2
  exit 1
fi
if grep 'seal.pml:.*assert' "$work/seal.out"; then
  echo 'the assertions above are never reached' >&2
  exit 1
fi
echo "seal before COMMIT: $(grep 'states, stored' "$work/seal.out" | tr -s ' '), no violation"

check behind -DSEAL_BEHIND_COMMIT
if ! grep -q 'assertion violated' "$work/behind.out"; then
  cat "$work/behind.out"
  echo 'the seal was moved behind COMMIT and the model did not notice' >&2
  exit 1
fi
echo "seal behind COMMIT: $(grep 'assertion violated' "$work/behind.out" | tr -s ' '), as it must be"
