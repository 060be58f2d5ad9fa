#!/usr/bin/env bash
# Test a checkpoint on the GPUs of this machine, or on several machines (also: processes on CPUs).
#
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
#
# GPUS is the number of processes on this machine; for several machines see launch_common.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch_common.sh"

[[ $# -ge 3 ]] || fail 'expected CONFIG CHECKPOINT GPUS [arguments of tools/test.py]'
config=$(find_config "$1")
checkpoint=$2
require_count GPUS "$3"
gpus=$3
shift 3

launch_processes "$gpus" "$ROOT/tools/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
