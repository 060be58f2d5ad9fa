"""All tables, by the names that the command line has for them."""

from . import beyond, paper
from .cells import Table

TABLES = {
    table.name: table
    for table in (
        paper.TABLE_1, paper.TABLE_2, paper.TABLE_3, paper.TABLE_4A, paper.TABLE_4B, paper.TABLE_5,
        paper.TABLE_6, paper.TABLE_7A, paper.TABLE_7B, paper.TABLE_8, paper.TABLE_9, paper.FIG_3,
        paper.SECTION_4_3, beyond.MASKS, beyond.LENGTH,
    )
}  # fmt: skip


def select(names: list[str]) -> list[Table]:
    """The tables of these names, in the paper's order; '4' stands for 4a and 4b, 'all' for all.

    Raises:
        ValueError: If there is no such table.
    """
    if 'all' in names:
        return list(TABLES.values())
    wanted = set()
    for name in names:
        found = {key for key in TABLES if name in (key, key.rstrip('ab'))}
        if not found:
            raise ValueError(
                f'Expected tables out of {", ".join(TABLES)} or all, found {name!r}; name one of '
                'them.'
            )
        wanted |= found
    return [table for key, table in TABLES.items() if key in wanted]
