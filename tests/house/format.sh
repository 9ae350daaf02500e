#!/usr/bin/env bash
# Every C++ file is as .clang-format has it. Remedy: clang-format -i FILE.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."

find driver journal replayer tests \( -name '*.cpp' -o -name '*.h' \) -print0 |
  xargs -0 -n 50 clang-format --dry-run -Werror
echo "format: as .clang-format has it"
