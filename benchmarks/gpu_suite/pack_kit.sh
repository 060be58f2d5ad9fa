#!/usr/bin/env bash
# Pack what a GPU machine without network lacks into one folder, to be carried there:
#
#     benchmarks/gpu_suite/pack_kit.sh [--images ARCHIVE] [FOLDER]
#
# FOLDER (work_dirs/gpu_kit) gets wheels that run on any Python, the project as committed at HEAD,
# the archive of photographs for the study (.tar.xz of train/<class>/* and val/<class>/*) and
# run.sh, to be called there as `bash FOLDER/run.sh PART MINUTES OUT`. Packing into the same folder
# again keeps its wheels. The machine must have torch, torchvision, NumPy, OpenCV, Pillow,
# Matplotlib, PyYAML, rich, regex, packaging and pytest.
set -euo pipefail

LIMIT_MIB=50
images=
if [ "${1:-}" = --images ]; then
    images=$(realpath "${2:?"--images needs the path of an archive."}")
    shift 2
fi
folder=$(realpath -m "${1:-work_dirs/gpu_kit}")
cd "$(dirname "$0")/../.."
python=$(test -x .venv/bin/python && echo .venv/bin/python || echo python3)

# The toolboxes, built where no torch is found, so without operators, and what they need.
packages=(
    onedl-mmengine onedl-mmcv onedl-mmpretrain
    addict termcolor yapf platformdirs
    einops importlib-metadata zipp mat4py modelindex model-index ordered-set markdown click
)
mkdir -p "$folder/wheels"
if [ ! -f "$folder/wheels/complete" ]; then
    "$python" -m pip wheel --quiet --no-deps --wheel-dir "$folder/wheels" \
        --constraint requirements/constraints.txt "${packages[@]}"
    bound=$(find "$folder/wheels" -name '*.whl' ! -name '*-none-any.whl')
    if [ -n "$bound" ]; then
        echo "Expected wheels for any Python and machine, found $bound." >&2
        exit 1
    fi
    touch "$folder/wheels/complete"
fi
git archive --format=tar.gz --output="$folder/project.tar.gz" HEAD
cp benchmarks/gpu_suite/run_kit.sh "$folder/run.sh"
if [ -n "$images" ]; then
    install -m 644 "$images" "$folder/images.tar.xz"
fi

size=$(du --summarize --block-size=1M "$folder" | cut -f1)
echo "$folder: $size MiB, of at most $LIMIT_MIB"
test "$size" -lt "$LIMIT_MIB"
