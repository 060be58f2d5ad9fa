"""All of the measurements of pretraining on one GPU, in a few minutes and without network.

python benchmarks/gpu_suite/run.py [--out DIR] [--minutes 8]

Needs torch, mmengine, mmcv (without operators) and mmpretrain; this package need not be installed.
"""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCHMARKS.parent), str(BENCHMARKS), str(BENCHMARKS / 'gpu_suite')]

import suite  # noqa: E402

if __name__ == '__main__':
    sys.exit(suite.main())
