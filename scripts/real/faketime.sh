#!/usr/bin/env bash
# libfaketime, which sets the clock that a program sees.
#
#   faketime.sh DIRECTORY
#
# Leaves DIRECTORY/libfaketime.so, a link to the library for programs with threads. Ends with 77 and a reason as its last
# line when this machine cannot have it.
set -euo pipefail
dir=${1:?faketime.sh DIRECTORY}
mkdir -p "$dir"

skip() { echo "$1"; exit 77; }
find_it() { find /usr/lib /usr/local/lib -name 'libfaketimeMT.so*' 2>/dev/null | head -n 1; }

[ "$(uname -s)" = Linux ] || skip "libfaketime is looked for on Linux alone"
library=$(find_it)
if [ -z "$library" ]; then
    command -v apt-get >/dev/null || skip "there is no libfaketime and no apt-get to install it with"
    [ "$(id -u)" = 0 ] || skip "there is no libfaketime; install it (apt-get install libfaketime) or run this as root"
    echo "installing libfaketime by apt-get"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install --yes --quiet --no-install-recommends libfaketime </dev/null >/dev/null 2>&1 ||
        { apt-get update --quiet </dev/null >/dev/null && apt-get install --yes --quiet --no-install-recommends libfaketime </dev/null >/dev/null; }
    library=$(find_it)
fi
[ -n "$library" ] || skip "libfaketime was installed and its library is not found"
year=$(LD_PRELOAD=$library FAKETIME='@2001-02-03 04:05:06' date +%Y)
[ "$year" = 2001 ] || skip "libfaketime is there and does nothing: the year is $year"
ln -sfn "$library" "$dir/libfaketime.so"
echo "$library works"
