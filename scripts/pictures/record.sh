#!/usr/bin/env bash
# Records docs/pictures/ask.svg: the README's story, typed into a real terminal (tmux) with the real binary.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build -q
bin=$PWD/target/debug
work=$(mktemp -d)
trap 'tmux -L picture kill-server 2>/dev/null || true; TINKERBELL_HOME=$work/home "$bin/tinkerbell" daemon stop >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/home"
git init -q "$work/demo"
printf '# demo\n\nSay hallo.\n' >"$work/demo/README.md"
git -C "$work/demo" add . && git -C "$work/demo" -c user.name=you -c user.email=you@example.org commit -qm first

tmux -L picture -f /dev/null new-session -d -x 92 -y 46 -c "$work/demo" \
    "env -i PATH='$bin:$PATH' TERM=xterm-256color HOME='$work' TINKERBELL_HOME='$work/home' PS1='$ ' bash --norc --noprofile"
# Types a line and waits for the next prompt: a line that is "$ " alone.
type_line() {
    tmux -L picture send-keys -l "$1"
    tmux -L picture send-keys Enter
    for _ in $(seq 200); do
        sleep 0.1
        [ "$(tmux -L picture capture-pane -p | sed '/^$/d' | tail -n 1)" = "$ " ] && return
        [ "$(tmux -L picture capture-pane -p | sed '/^$/d' | tail -n 1)" = "$" ] && return
    done
    echo "no prompt after: $1" >&2
    exit 1
}
sleep 0.5
type_line 'tinkerbell ask "replace \"hallo\" with \"hello\" in README.md"'
type_line 'git status --short'
type_line 'tinkerbell diff'
type_line 'tinkerbell accept && git status --short'
type_line 'tinkerbell accept --undo'
mkdir -p docs/pictures
tmux -L picture capture-pane -e -p | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' | python3 scripts/pictures/ansi_to_svg.py >docs/pictures/ask.svg
tmux -L picture capture-pane -p
