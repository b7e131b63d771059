#!/bin/sh
# Makes or renews a virtual environment: make_venv.sh PYTHON FOLDER LOCK
#
# Every package is a wheel whose hash stands in the lock: nothing is compiled, and no other file can slip in.
set -eu

python=$1 folder=$2 lock=$3

version=$("$python" -V) || {
    echo "$python does not run; name a Python 3.11 or newer: make PYTHON=/path/to/python3" >&2
    exit 1
}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$python is $version, and 3.11 is the oldest that will do; name another: make PYTHON=/path/to/python3" >&2
    exit 1
fi

if [ "$("$folder/bin/python" -V 2>/dev/null)" != "$version" ]; then
    echo "Making $folder with $version"
    "$python" -m venv --clear "$folder"
fi

install() {
    "$folder/bin/python" -m pip --disable-pip-version-check install --quiet "$@"
}
echo "Installing the packages of $lock into $folder (about a minute)"
install --require-hashes --only-binary :all: --requirement "$lock"
install --no-deps --no-build-isolation --editable .
