#!/usr/bin/env bash
# codex, a peer for the benchmarks; no test needs it.
#
#   codex.sh DIRECTORY
#
# Leaves DIRECTORY/bin/codex, a link to the native program inside the npm package (its Node launcher would cost 30 to
# 90 ms more). Ends with 77 and a reason as its last line when this machine cannot have it.
set -euo pipefail
dir=${1:?codex.sh DIRECTORY}
mkdir -p "$dir/bin"

skip() { echo "$1"; exit 77; }
command -v npm >/dev/null || skip "there is no npm to install codex with; install Node.js"
echo "installing @openai/codex by npm"
npm install --prefix "$dir" --no-audit --no-fund --no-update-notifier --ignore-scripts --silent @openai/codex@0.169.0 </dev/null >&2
native=$(find -L "$dir/node_modules" -type f -name codex -path '*vendor*' -perm -u+x | head -n 1)
[ -n "$native" ] || skip "the codex package holds no native program for $(uname -s) on $(uname -m)"
ln -sfn "$native" "$dir/bin/codex"
echo "$("$dir/bin/codex" --version </dev/null) is installed"
