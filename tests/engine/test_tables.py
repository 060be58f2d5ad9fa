"""Tables as text."""

from bootmae_mm.engine.tables import as_markdown, as_text

HEADER, ROWS = ('name', 'n', 'note'), [('a', '10', 'long'), ('longer', '7', '')]


def test_columns_are_aligned_by_spaces():
    assert as_text(HEADER, ROWS).splitlines() == [
        'name    n   note',
        'a       10  long',
        'longer  7',
    ]


def test_columns_of_numbers_end_flush():
    assert as_text(HEADER, ROWS, right=[1]).splitlines() == [
        *('name     n  note', 'a       10  long', 'longer   7')
    ]


def test_a_table_of_markdown():
    assert as_markdown(HEADER, ROWS).splitlines() == [
        *('| name | n | note |', '| --- | --- | --- |', '| a | 10 | long |', '| longer | 7 |  |')
    ]
