#!/usr/bin/env bash
# A desktop's keyring without a desktop: gnome-keyring on a message bus of its own.
#
#   keyring.sh DIRECTORY
#
# Leaves DIRECTORY/dbus-run-session and DIRECTORY/gnome-keyring-daemon, links to the programs. Ends with 77 and a reason as
# its last line when this machine cannot have them.
set -euo pipefail
dir=${1:?keyring.sh DIRECTORY}
mkdir -p "$dir"

skip() { echo "$1"; exit 77; }
there() { command -v dbus-run-session >/dev/null && command -v gnome-keyring-daemon >/dev/null; }
[ "$(uname -s)" = Linux ] || skip "gnome-keyring is for Linux"
if ! there; then
    command -v apt-get >/dev/null || skip "there is no gnome-keyring and no apt-get to install it with"
    [ "$(id -u)" = 0 ] || skip "there is no gnome-keyring; install it (apt-get install dbus gnome-keyring) or run this as root"
    echo "installing dbus and gnome-keyring by apt-get"
    export DEBIAN_FRONTEND=noninteractive
    install="apt-get install --yes --quiet --no-install-recommends dbus gnome-keyring"
    $install </dev/null >/dev/null 2>&1 || { apt-get update --quiet </dev/null >/dev/null && $install </dev/null >/dev/null; }
fi
there || skip "gnome-keyring could not be installed"
for program in dbus-run-session gnome-keyring-daemon; do
    ln -sfn "$(command -v "$program")" "$dir/$program"
done
dbus-run-session -- true 2>/dev/null || skip "a message bus cannot be started here"
echo "a message bus and gnome-keyring are there"
