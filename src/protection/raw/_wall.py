"""The second wall of raw SQL: what the database says that a statement does.

The text was judged before; here it is held against what the database makes of it. Views,
triggers, rewrite rules and foreign keys write where no text says so, and a parser may be
wrong. What was judged passes; anything else is judged now, by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, final

from ...errors import BlockedError, DataFlowError
from ...models import Model
from ...sql import Touch
from ._harmless import HARMLESS
from ._statement import Access

__all__ = ["CATALOGUES", "OWN_TABLES", "Wall"]

OWN_TABLES: Final = "dataflow_"
"""How names begin of tables and triggers that this library keeps for itself."""

CATALOGUES: Final = ("sqlite_", "pg_")
"""How names begin of tables that a database keeps for itself."""

_BEYOND: Final = "it would do something beside reading and writing rows"
_INSTEAD: Final = (
    "a view, a trigger, a rule or a foreign key of the database does that: leave out "
    "what it hangs on"
)

Judge = Callable[[Access], None]
"""Judges an access; raises if it is refused."""


@final
class Wall:
    """Says what the database may do for one statement.

    Args:
        accesses: What was judged already, and passes.
        models: By name.
        judge: Judges anything else.
        beyond: Returns what to raise of what is done beside tables.
    """

    def __init__(
        self,
        accesses: Iterable[Access],
        models: Mapping[str, Model],
        judge: Judge,
        beyond: Callable[[str], Exception],
    ) -> None:
        self._judged: dict[tuple[str, str], frozenset[str] | None] = {}
        for each in accesses:
            self._note(each)
        self._judge = judge
        self._beyond = beyond
        self._models = models
        self._keys = self._read_keys()

    def _note(self, access: Access) -> None:
        key = access.action, access.table.casefold()
        columns = access.columns
        known = self._judged.get(key, frozenset())
        both = None if known is None or columns is None else known | columns
        self._judged[key] = both

    def __call__(self, touch: Touch) -> Exception | None:
        """Return what to raise if the database may not do this."""
        if touch.action == "other":
            return self._beyond(_BEYOND)
        if touch.action != "read" and touch.table.casefold().startswith(CATALOGUES):
            return None if self._changes_schema else self._beyond(_BEYOND)
        if self._is_judged(touch) or self._is_inside(touch):
            return None
        columns = None if touch.column is None else frozenset({touch.column.casefold()})
        access = Access(touch.table, touch.action, columns)
        try:
            self._judge(access)
        except BlockedError as error:
            facts = error.model, error.operation, error.rule, error.reason
            return type(error)(*facts, _INSTEAD)
        except DataFlowError as error:
            return error
        self._note(access)
        return None

    def _is_judged(self, touch: Touch) -> bool:
        key = touch.action, touch.table.casefold()
        if key not in self._judged:
            return False
        columns = self._judged[key]
        return columns is None or not touch.column or touch.column.casefold() in columns

    def _is_inside(self, touch: Touch) -> bool:
        """Whether the database does this by itself, for what was judged."""
        table = touch.table.casefold()
        if touch.action == "read":
            # Foreign keys are looked up, and functions that give rows are read.
            is_key = (table, (touch.column or "").casefold()) in self._keys
            if is_key or table in HARMLESS:
                return True
        if self._writes and table.startswith(OWN_TABLES):
            # Triggers of the audit write to it; the text was judged before.
            return touch.action in ("read", "create")
        if self._writes and (touch.within or "").startswith(OWN_TABLES):
            return touch.action == "read"  # it notes down what changes
        return False

    @property
    def _writes(self) -> bool:
        return any(action != "read" for action, _ in self._judged)

    @property
    def _changes_schema(self) -> bool:
        return any(action == "schema" for action, _ in self._judged)

    def _read_keys(self) -> frozenset[tuple[str, str]]:
        """Return the columns by which foreign keys of written tables are looked up."""
        written = {table for action, table in self._judged if action != "read"}
        return frozenset(
            (model.table.casefold(), field.name.casefold())
            for each in self._models.values()
            if each.table.casefold() in written
            for relation in each.relations.values()
            for pair in relation.pairs
            for model, field in zip((each, relation.target), pair, strict=True)
        )
