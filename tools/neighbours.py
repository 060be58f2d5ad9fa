"""Show pictures with the ones that an encoder finds most like them, as one page.

    python -m bootmae_mm neighbours features.parquet
    python -m bootmae_mm neighbours features.parquet --picture cat.jpg dogs/7.png --count 12

`python -m bootmae_mm embed` writes the features. Without --picture, 12 pictures at equal distances.
"""

import argparse
from functools import partial

from bootmae_mm import command_line
from bootmae_mm.commands.arguments import above_zero


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('features', help='what embed wrote')
    add('--picture', nargs='+', metavar='FILE', default=[], help='to show, of those with features')
    add('--count', type=above_zero(int), default=8, help='neighbours of each; default 8')
    add('--out', default='neighbours.html', help='to write; default neighbours.html')
    add('--kind', choices=('class', 'mean', 'patches'), help='of features; default mean if there')
    add('--pictures', metavar='FOLDER', help='of the pictures, if it is not where it was')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Write the page."""
    args = vars(parse_args(argv))
    # Late, since this takes seconds to import: a wrong option is told at once.
    from bootmae_mm.commands.features.neighbour_pages import neighbours

    with command_line.user_errors():
        neighbours(**args, say=partial(print, flush=True))


if __name__ == '__main__':
    main()
