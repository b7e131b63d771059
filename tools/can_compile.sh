#!/bin/sh
# Succeeds when C modules can be compiled for an interpreter, and says what is missing otherwise: can_compile.sh PYTHON
set -eu

command -v "${CC:-cc}" >/dev/null || {
    echo "Not compiled, since there is no C compiler here: install gcc or clang" >&2
    exit 1
}
headers=$("$1" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -f "$headers/Python.h" ] || {
    echo "Not compiled, since $headers/Python.h is missing: Debian and Ubuntu have it in python3-dev" >&2
    exit 1
}
