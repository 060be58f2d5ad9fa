"""Tables as plain text."""

from collections.abc import Sequence


def as_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned by spaces."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    return '\n'.join(
        '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in (header, *rows)
    )
