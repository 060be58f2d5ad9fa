#!/usr/bin/env bash
# Train on a Slurm cluster.
#
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]
#
# Environment: GPUS (in all, default 8), GPUS_PER_NODE (default 8, or GPUS if that is less),
# CPUS_PER_TASK (default 5), SRUN_ARGS (more arguments for srun), MASTER_PORT (default: drawn).
#
# Two minutes before the time limit Slurm sends SIGUSR1 (SRUN_ARGS may set another --signal), and at
# preemption SIGTERM: training ends its step, writes a checkpoint and leaves with exit code 99. In a
# batch job (sbatch --requeue) this script then has the job queued again, which goes on from there.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch_common.sh"

[[ $# -ge 3 ]] || fail 'expected PARTITION JOB_NAME CONFIG [arguments of tools/train.py]'
partition=$1
job_name=$2
config=$(find_config "$3")
shift 3

gpus=${GPUS:-8}
require_count GPUS "$gpus"
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
require_count GPUS_PER_NODE "$gpus_per_node"
cpus_per_task=${CPUS_PER_TASK:-5}
require_count CPUS_PER_TASK "$cpus_per_task"
read -r -a srun_args <<<"${SRUN_ARGS:-}"

export MASTER_PORT=${MASTER_PORT:-$((20000 + RANDOM % 20000))}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$cpus_per_task}
export PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH}

code=0
run_stoppable srun --partition="$partition" --job-name="$job_name" --gres="gpu:$gpus_per_node" \
    --ntasks="$gpus" --ntasks-per-node="$gpus_per_node" --cpus-per-task="$cpus_per_task" \
    --kill-on-bad-exit=1 --signal=USR1@120 ${srun_args[@]+"${srun_args[@]}"} \
    "$(find_python)" -u "$ROOT/tools/train.py" "$config" --launcher slurm "$@" || code=$?

requeue_stopped "$code"
exit "$code"
