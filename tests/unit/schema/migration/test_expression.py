"""A column gets another name inside of what others wrote."""

from __future__ import annotations

import pytest

from dataflow.schema.migration.planning._expression import renamed_in


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("size > 0", '"new" > 0'),
        ('"size" > 0 AND SIZE < 9', '"new" > 0 AND "new" < 9'),
        ("[size] IN (`size`, t.size)", '"new" IN ("new", t."new")'),
        ("resize > sizes + _size", "resize > sizes + _size"),
        ("note <> 'size' AND note <> 'it''s size'",) * 2,
        ("size(note) > 0 AND size (note) < 9",) * 2,
        ("CAST(note AS size) COLLATE size > 0",) * 2,
        ('note = "it""s size"',) * 2,
        ("'unfinished",) * 2,
        ("[",) * 2,
    ],
)
def test_only_the_column_is_renamed(expression: str, expected: str) -> None:
    assert renamed_in(expression, "size", "new") == expected


def test_names_of_any_kind_are_quoted() -> None:
    assert renamed_in('"a""b" > `a``b`', 'a"b', 'c"d') == '"c""d" > `a``b`'
    assert renamed_in("größe > 0", "Größe", "x") == '"x" > 0'
