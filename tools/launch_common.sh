# shellcheck shell=bash
# What dist_train.sh and slurm_train.sh share; they source it.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Print a message as this script's error and leave.
fail() {
    echo "$(basename "$0"): $*" >&2
    exit 2
}

# Print where the config is: as seen from the caller's directory or, failing that, from the project's.
find_config() {
    if [[ -f $1 ]]; then
        echo "$1"
    elif [[ -f $ROOT/$1 ]]; then
        echo "$ROOT/$1"
    else
        fail "no config '$1', neither here nor in $ROOT"
    fi
}

# Print the Python to run: the checkout's own if there is one.
find_python() {
    if [[ -x $ROOT/.venv/bin/python ]]; then
        echo "$ROOT/.venv/bin/python"
    else
        echo python
    fi
}

# Leave unless the value ($2) of the named setting ($1) is a count from 1.
require_count() {
    [[ $2 =~ ^[1-9][0-9]*$ ]] || fail "$1 is to be a number from 1 up, not '$2'"
}
