#!/bin/sh
# Searches the code for patterns that lead to weaknesses, and looks up published ones of the locked packages:
# audit.sh PYTHON LOCK
set -eu

python=$1 lock=$2
tool=.cache/audit
[ -x "$tool/bin/pip-audit" ] && [ -x "$tool/bin/bandit" ] || {
    "$python" -m venv --clear "$tool" && "$tool/bin/pip" install --quiet "pip-audit>=2.9" "bandit>=1.8"
}

# Without B104: an address to listen on is the operator's to choose.
"$tool/bin/bandit" --quiet --recursive --severity-level medium --skip B104 src tools
# With the hashes, so that what is looked up is what is installed, and nothing is resolved anew. Strict, since otherwise
# a package that could not be looked up would count as a good one.
"$tool/bin/pip-audit" --requirement "$lock" --require-hashes --disable-pip --strict --progress-spinner off
