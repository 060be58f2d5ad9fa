"""List pictures that are nearly the same, two by two, the most similar first.

    python -m bootmae_mm duplicates features.parquet
    python -m bootmae_mm duplicates features.parquet --similarity 0.95 --out alike.csv

`python -m bootmae_mm embed` writes the features. Nothing is removed; which similarity is enough
depends on the encoder: look at some pairs first.
"""

import argparse
from functools import partial

from bootmae_mm import command_line


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('features', help='what embed wrote')
    add('--similarity', type=float, default=0.98, help='least cosine of two; default 0.98')
    add('--out', default='duplicates.csv', help='to write; default duplicates.csv')
    add('--kind', choices=('class', 'mean', 'patches'), help='of features; default mean if there')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Write the list."""
    args = vars(parse_args(argv))
    # Late, since this takes seconds to import: a wrong option is told at once.
    from bootmae_mm.commands.features.duplicates import near_duplicates

    with command_line.user_errors():
        near_duplicates(**args, say=partial(print, flush=True))


if __name__ == '__main__':
    main()
