# shellcheck shell=bash
# What the launch scripts share; they source it.
#
# On one machine a free port is taken. For several, run the same command on each with NNODES (number
# of machines), NODE_RANK (0, 1, ...), MASTER_ADDR (of the machine with rank 0) and, if 29500 is
# taken there, MASTER_PORT set.

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
        fail "no config '$1', neither here nor in $ROOT (the command of every row of the paper's" \
            "tables: docs/reproduction.md)"
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

# Run a Python script with its arguments ($2 ...) in as many processes ($1) on this machine, which
# share its cores.
launch_processes() {
    local processes=$1 nnodes=${NNODES:-1} rendezvous cores threads
    shift
    require_count NNODES "$nnodes"
    if [[ $nnodes -gt 1 ]]; then
        [[ -n ${NODE_RANK:-} && -n ${MASTER_ADDR:-} ]] ||
            fail "NNODES is $nnodes, so NODE_RANK and MASTER_ADDR have to be set, too"
        rendezvous=(--nnodes "$nnodes" --node-rank "$NODE_RANK"
            --master-addr "$MASTER_ADDR" --master-port "${MASTER_PORT:-29500}")
    elif [[ -n ${MASTER_PORT:-} ]]; then
        rendezvous=(--master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "$MASTER_PORT")
    else
        rendezvous=(--standalone --local-addr 127.0.0.1)
    fi

    if [[ -z ${OMP_NUM_THREADS:-} ]]; then
        cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
        threads=$((cores / processes))
        export OMP_NUM_THREADS=$((threads > 1 ? threads : 1))
    fi
    export PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH}

    run_stoppable "$(find_python)" -m torch.distributed.run "${rendezvous[@]}" \
        --nproc-per-node "$processes" "$@"
}

# Run a command and return its exit code. A signal to this script does not end the command, which
# would take its processes along in the middle of a step, but makes a file appear: training looks for
# it, writes a checkpoint, puts its exit code there (99) and ends. A second signal ends the command.
run_stoppable() {
    local child='' code=0
    STOP_FILE=$(mktemp -u "$PWD/.bootmae_stop.XXXXXX")
    export BOOTMAE_STOP_FILE=$STOP_FILE
    trap 'stop_or_end "$child"' TERM INT USR1
    set -m # the command gets a process group of its own, which Ctrl-C does not reach
    "$@" &
    child=$!
    wait_to_the_end "$child" || code=$?
    if [[ -s $STOP_FILE ]]; then
        code=$(<"$STOP_FILE")
    fi
    rm -f "$STOP_FILE"
    return "$code"
}

# Wait for a process that this script started, whatever signals come, and return its exit code.
wait_to_the_end() {
    local child=$1
    while kill -0 "$child" 2>/dev/null; do
        wait "$child" || true # a signal ends it, too
    done
    wait "$child"
}

# Run a command as a job of Slurm's and leave with its exit code. A SIGUSR1 is passed on to it.
run_job() {
    local child code=0
    "$@" &
    child=$!
    trap 'kill -USR1 "$child"' USR1
    wait_to_the_end "$child" || code=$?
    requeue_stopped "$code"
    exit "$code"
}

# Have Slurm queue this job again if its command, which left with this exit code ($1), can go on.
requeue_stopped() {
    if [[ $1 -eq 99 && -n ${SLURM_JOB_ID:-} ]]; then
        echo "$(basename "$0"): stopped by a signal; job $SLURM_JOB_ID is queued again" >&2
        scontrol requeue "$SLURM_JOB_ID"
    fi
}

stop_or_end() {
    if [[ ! -e $STOP_FILE ]]; then
        : >"$STOP_FILE"
        echo "$(basename "$0"): a signal: training ends its step and writes a checkpoint" >&2
    elif [[ -n $1 ]]; then
        kill -TERM "$1"
    fi
}
