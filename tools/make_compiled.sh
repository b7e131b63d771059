#!/bin/sh
# Makes a virtual environment with Hookline as it is published, its delivery path compiled:
#
#   make_compiled.sh PYTHON FOLDER LOCK
#
# Nothing is compiled in the checkout itself, where it would stand before the sources.
set -eu

python=$1 folder=$2 lock=$3

sh tools/can_compile.sh "$python"
sh tools/make_venv.sh "$python" "$folder" "$lock"
rm -rf "$folder/wheel"
echo "Compiling the delivery path (a minute or two)"
HATCH_BUILD_HOOKS_ENABLE=1 "$folder/bin/python" -m build --wheel --no-isolation --outdir "$folder/wheel" . \
    >"$folder/build.log" 2>&1 || {
    cat "$folder/build.log" >&2
    exit 1
}
"$folder/bin/python" -m pip --disable-pip-version-check install --quiet --no-deps --force-reinstall "$folder"/wheel/*.whl
