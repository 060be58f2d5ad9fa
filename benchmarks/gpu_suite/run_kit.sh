#!/usr/bin/env bash
# Run a part of the kit that pack_kit.sh made, on a machine without network:
#
#     bash FOLDER/run.sh PART MINUTES OUT [OPTION ...]
#
#     tests   the tests that need a GPU
#     speed   the GPU suite; `--tiny` tries it anywhere
#     study   MAE and BootMAE by length on the photographs that were packed
#
# MINUTES are for everything, unpacking included; what there is by then stays in OUT, the log beside
# it. More options go to pytest or to the script. The exit status is that of the part, 124 if it was
# cut off. Wheels and photographs stay unpacked in a temporary folder for the next call.
set -uo pipefail

part=${1:-}
minutes=${2:-}
out=${3:-}
case "$part" in
    tests | speed | study) ;;
    *) echo "Expected a part, tests, speed or study, found '$part'." >&2; exit 2 ;;
esac
if [[ ! "$minutes" =~ ^[0-9]+(\.[0-9]+)?$ || -z "$out" ]]; then
    echo 'Expected: run.sh PART MINUTES OUT, as in: run.sh speed 3.5 results' >&2
    exit 2
fi
shift 3
MOST_FILES=8  # that are carried back
kit=$(realpath "$(dirname "$0")")
mkdir -p "$out"
out=$(realpath "$out")
work=${TMPDIR:-/tmp}/bootmae_kit_$UID
site=$work/site
mkdir -p "$work"
project=$(mktemp -d "$work/project.XXXXXX")  # of this run alone, as another may go on beside it
trap 'rm -rf "$project"' EXIT
photos=$work/photos
python=$(command -v python3)

unpack() {
    if [ ! -f "$site/complete" ]; then
        rm -rf "$site"
        "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir \
            --disable-pip-version-check --root-user-action=ignore --target "$site" \
            "$kit"/wheels/*.whl || return
        touch "$site/complete"
    fi
    tar -xzf "$kit/project.tar.gz" -C "$project" || return
    if [ "$part" = study ] && [ ! -f "$photos/complete" ]; then
        rm -rf "$photos"
        mkdir -p "$photos/imagenet"
        tar -xJf "$kit/images.tar.xz" -C "$photos/imagenet" || return
        touch "$photos/complete"
    fi
}

run() {
    local left=$1
    shift
    case "$part" in
        tests)
            local files
            mapfile -t files < <(grep -rl --include='*.py' 'mark\.gpu' tests)
            if [ "${#files[@]}" = 0 ]; then
                echo 'Expected tests marked gpu, found none.'
                return 5
            fi
            set -- -m pytest -m gpu -v -n auto --maxprocesses 4 --dist loadfile --durations 10 \
                --tb short -p no:cacheprovider "${files[@]}" "$@"
            ;;
        speed)
            set -- benchmarks/gpu_suite/run.py --minutes "$(in_minutes "$left")" --out "$out" "$@"
            ;;
        study)
            rm -rf results  # of other machines
            set -- tools/reproduce.py run length --budget card --data "$photos" --jobs 4 "$@"
            ;;
    esac
    timeout --kill-after 5 "$left" "$python" "$@"
}

in_minutes() { awk -v seconds="$1" 'BEGIN { printf "%.2f", (seconds - 5) / 60 }'; }

export PYTHONPATH=$project:$site PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 PIP_CONFIG_FILE=/dev/null
limit=$(awk -v minutes="$minutes" 'BEGIN { printf "%d", 60 * minutes }')
{ nvidia-smi --query-gpu=name,driver_version --format=csv,noheader || echo 'no GPU found'; } \
    2>&1 | tee "$out/$part.log"
unpack 2>&1 | tee -a "$out/$part.log"
status=${PIPESTATUS[0]}
unpacked=$SECONDS
if [ "$status" = 0 ]; then
    cd "$project"
    left=$((limit - unpacked))
    run "$((left > 1 ? left : 1))" "$@" 2>&1 | tee -a "$out/$part.log"
    status=${PIPESTATUS[0]}
fi
if [ "$part" = study ] && cd "$project"; then  # what there is of it, in one file
    "$python" tools/reproduce.py table length | tee -a "$out/$part.log"
    mkdir -p results
    find results work_dirs -name '*.json' -o -name '*.log' -o -name printed.txt |
        tar -czf "$out/records.tar.gz" --files-from -
fi

files=$(find "$out" -type f | wc -l)
{
    echo
    echo '| part | status | unpacked in, s | took, s | of, s | files |'
    echo '|---|---|---|---|---|---|'
    echo "| $part | $status | $unpacked | $SECONDS | $limit | $files |"
    [ "$files" -le "$MOST_FILES" ] || echo "More than $MOST_FILES files: not all will come back."
} | tee -a "$out/$part.log"
exit "$status"
