#!/bin/sh
# Prints a Python interpreter of this machine that is new enough and really runs.
#
#   find_python.sh default          the one to work with: python3 if it will do, else the newest
#   find_python.sh other 3.MINOR    the newest of another version, or nothing when there is none
#
# Candidates are tried rather than trusted: a version manager's shim can be on the PATH and refuse to run, and Debian's
# python3 comes without the module that makes virtual environments. pyenv's versions are found without its shims.
set -eu

NEWEST_FIRST="14 13 12 11"

runs() { # COMMAND MINOR: is it Python 3.MINOR, able to make a virtual environment?
    [ "$("$1" -c 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "3.$2" ]
}

find_minor() { # MINOR: print its interpreter, or fail
    for candidate in "python3.$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"3.$1".*/bin/python3; do
        if runs "$candidate" "$1"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

case "${1:-}" in
default)
    for minor in $NEWEST_FIRST; do
        if runs python3 "$minor"; then
            command -v python3
            exit 0
        fi
    done
    for minor in $NEWEST_FIRST; do
        if find_minor "$minor"; then
            exit 0
        fi
    done
    echo "Found no Python 3.11 to 3.14 that has the modules venv and ensurepip (Debian and Ubuntu: install" \
        "python3-venv). Install one, or name one: make PYTHON=/path/to/python3" >&2
    exit 1
    ;;
other)
    for minor in $NEWEST_FIRST; do
        if [ "3.$minor" != "$2" ] && find_minor "$minor"; then
            exit 0
        fi
    done
    ;;
*)
    echo "usage: find_python.sh default | other 3.MINOR" >&2
    exit 2
    ;;
esac
