#!/usr/bin/env bash
# Train on the GPUs of this machine, or on several machines (also: processes on CPUs).
#
#   tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
#
# GPUS is the number of processes on this machine; for several machines see launch_common.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch_common.sh"

[[ $# -ge 2 ]] || fail 'expected CONFIG GPUS [arguments of tools/train.py]'
config=$(find_config "$1")
require_count GPUS "$2"
gpus=$2
shift 2

launch_processes "$gpus" "$ROOT/tools/train.py" "$config" --launcher pytorch "$@"
