#!/usr/bin/env bash
# strace, which makes the Nth system call fail or kills at it.
#
#   strace.sh DIRECTORY
#
# Leaves DIRECTORY/strace, a link to the program. Ends with 77 and a reason as its last line when this machine cannot
# have it: no program and no right to install one, or a kernel that forbids tracing.
set -euo pipefail
dir=${1:?strace.sh DIRECTORY}
mkdir -p "$dir"

skip() { echo "$1"; exit 77; }
[ "$(uname -s)" = Linux ] || skip "strace is for Linux"
if ! command -v strace >/dev/null; then
    command -v apt-get >/dev/null || skip "there is no strace and no apt-get to install it with"
    [ "$(id -u)" = 0 ] || skip "there is no strace; install it (apt-get install strace) or run this as root"
    echo "installing strace by apt-get"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install --yes --quiet --no-install-recommends strace </dev/null >/dev/null 2>&1 ||
        { apt-get update --quiet </dev/null >/dev/null && apt-get install --yes --quiet --no-install-recommends strace </dev/null >/dev/null; }
fi
strace -f -qq -e trace=none true 2>/dev/null || skip "strace is there, but this kernel or container forbids tracing (ptrace)"
ln -sfn "$(command -v strace)" "$dir/strace"
echo "$(strace -V | head -n 1) works"
