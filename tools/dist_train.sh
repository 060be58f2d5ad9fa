#!/usr/bin/env bash
# Train on the GPUs of this machine, or on several machines (also: processes on CPUs).
#
#   tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
#
# GPUS is the number of processes on this machine. On one machine a free port is taken. For several,
# run the same command on each with NNODES (number of machines), NODE_RANK (0, 1, ...), MASTER_ADDR
# (of the machine with rank 0) and, if 29500 is taken there, MASTER_PORT set.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch_common.sh"

[[ $# -ge 2 ]] || fail 'expected CONFIG GPUS [arguments of tools/train.py]'
config=$(find_config "$1")
require_count GPUS "$2"
gpus=$2
shift 2

nnodes=${NNODES:-1}
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
    threads=$((cores / gpus))
    export OMP_NUM_THREADS=$((threads > 1 ? threads : 1))
fi
export PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH}

exec "$(find_python)" -m torch.distributed.run "${rendezvous[@]}" --nproc-per-node "$gpus" \
    "$ROOT/tools/train.py" "$config" --launcher pytorch "$@"
