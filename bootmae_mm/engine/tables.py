"""Tables as plain text and as Markdown; imports no PyTorch."""

from collections.abc import Container, Sequence

Cells = Sequence[str]


def as_text(header: Cells, rows: Sequence[Cells], right: Container[int] = ()) -> str:
    """Columns aligned by spaces: to the left, or to the right those whose numbers are in
    ``right``."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return '\n'.join(
        '  '.join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_markdown(header: Cells, rows: Sequence[Cells]) -> str:
    """A table of Markdown."""
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
