#!/usr/bin/env bash
# The checks that need no running program: format, structure, documents, clang-tidy.
set -euo pipefail

readonly here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
readonly build="${1:?usage: check.sh BUILD-DIRECTORY}"
cd "$here/../.."

tests/house/format.sh
tests/house/structure.sh
tests/house/documents.sh "$build"
tests/house/tidy.sh "$build"
