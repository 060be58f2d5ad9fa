"""Compare our model with numbers computed by the authors' release.

    python tools/check_parity.py tests/golden/bootmae_tiny.npz [...]

Prints quantity, largest relative difference, tolerance and verdict for every file; exits with 1 if
one quantity fails.
"""

import argparse
import sys

from bootmae_mm.command_line import existing_file
from bootmae_mm.engine.tables import as_text


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument(
        'files', nargs='+', type=existing_file, metavar='FILE.npz', help='golden files'
    )
    args = parser.parse_args(argv)
    # Late, since these take seconds to import: a wrong option is told at once.
    from bootmae_mm.studies.parity import compare

    failed = 0
    for path in args.files:
        try:
            rows = compare(path)
        except ValueError as error:
            parser.error(str(error))
        lines = [
            (
                row.quantity, f'{row.difference:.2e}', f'{row.tolerance:.0e}',
                'ok' if row.passed else 'FAILED',
            )
            for row in rows
        ]  # fmt: skip
        header = ('quantity', 'difference', 'tolerance', 'verdict')
        print(f'\n{path}\n{as_text(header, lines, right=(1, 2))}')
        num_failed = sum(not row.passed for row in rows)
        print(f'{len(rows) - num_failed} of {len(rows)} quantities agree')
        failed += num_failed
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
