"""Where things lie in the checkout."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / 'tests' / 'golden'


CONFIGS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts
)


PAGES = sorted(
    path
    for pattern in ('*.md', 'docs/*.md', 'benchmarks/**/*.md', 'configs/**/*.md')
    for path in ROOT.glob(pattern)
)
