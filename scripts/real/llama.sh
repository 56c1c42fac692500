#!/usr/bin/env bash
# llama.cpp's own server, whole in a Python wheel, and a model that says a fixed script.
#
#   llama.sh DIRECTORY
#
# Leaves DIRECTORY/venv/bin/python, which can run scripts/real/llama_server.py, and DIRECTORY/write_file.gguf.
# Ends with 77 and a reason as its last line when this machine cannot have it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?llama.sh DIRECTORY}

skip() { echo "$1"; exit 77; }
command -v python3 >/dev/null || skip "there is no python3; install Python 3.10 or newer"
python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
    skip "python3 is older than 3.10 or cannot make virtual environments (Debian: apt-get install python3-venv)"
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || [ "$(uname -s)" = Darwin ] || [ "$(uname -m)" = aarch64 ] ||
    skip "there is no xllamacpp wheel for $(uname -s) on $(uname -m)"

echo "making a virtual environment in $dir/venv"
mkdir -p "$dir"
rm -rf "$dir/venv"
python3 -m venv "$dir/venv"
echo "installing xllamacpp, gguf and numpy (some 210 MB)"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --timeout 60 --retries 3 \
    --only-binary :all: xllamacpp==2026.10.11549 gguf==0.19.0 numpy==2.4.6
echo "writing the scripted model"
"$dir/venv/bin/python" "$here/make_model.py" "$dir/write_file.gguf"
"$dir/venv/bin/python" "$here/check_llama.py" "$dir/write_file.gguf"
