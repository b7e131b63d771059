#!/bin/sh
# Writes the hashed list of all packages, for every supported Python and platform: lock.sh PYTHON LOCK
set -eu

python=$1 lock=$2
tool=.cache/lock
[ -x "$tool/bin/uv" ] || { "$python" -m venv --clear "$tool" && "$tool/bin/pip" install --quiet "uv>=0.9"; }

# Universal: one list with markers instead of one a platform. Only wheels: an installation never compiles.
"$tool/bin/uv" pip compile pyproject.toml --all-extras --group dev --output-file "$lock" --upgrade --quiet \
    --universal --python-version 3.11 --only-binary :all: --generate-hashes \
    --custom-compile-command "make lock" --no-annotate --no-emit-index-url --no-emit-find-links
