from __future__ import annotations

import dataflow.sql


def test_every_public_name_is_there_and_sorted() -> None:
    names = dataflow.sql.__all__

    # Constants first, as the linter has it.
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(dataflow.sql, name) for name in names)
