"""What SQLite needs a new table for: which columns, which proofs, which values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from ..._step import Proof, Work
from ...planning import (
    AddColumn,
    AddForeignKey,
    AddIndex,
    AddKey,
    AddUnique,
    Change,
    ChangeType,
    DropForeignKey,
    DropIndex,
    DropKey,
    DropNotNull,
    DropUnique,
    RenameConstraint,
    RenameIndex,
    SetIdentity,
    SetNotNull,
    evolved,
)
from .._conversion import Conversion, conversion
from .._proofs import (
    no_conversion,
    no_nulls,
    no_orphans,
    no_twins,
    no_value,
    no_value_of,
)
from .._text import quote
from ._draft import Draft, filling
from ._rebuild import Rebuild, unkept

__all__ = ["NewTableDraft"]

_IN_NEW_TABLE: Final = (
    ChangeType,
    SetNotNull,
    DropNotNull,
    SetIdentity,
    DropKey,
    AddKey,
    AddUnique,
    DropUnique,
    AddForeignKey,
    DropForeignKey,
)
"""What SQLite cannot do in place. Source: sqlite.org/lang_altertable.html."""


class NewTableDraft(Draft):
    """Writes the step that makes a table anew."""

    def _is_to_be_rebuilt(self, table: str, changes: Sequence[Change]) -> bool:
        for change in changes:
            if isinstance(change, _IN_NEW_TABLE):
                return True
            if isinstance(change, AddColumn):
                column, fill = change.column, change.fill
                has_value = fill is not None and fill.factory is None
                if column.identity or not (column.is_nullable or has_value):
                    return True
        return False

    def _rebuild(self, table: str, changes: Sequence[Change]) -> None:
        before, facts = self._tables[table], self._of(table)
        if lost := unkept(facts.text):
            self.problems.append(
                f"{table} is declared with {lost}, which would be lost when it is made "
                "anew: change it by hand"
            )
            return
        kinds = (AddIndex, DropIndex, RenameIndex)
        inside = [each for each in changes if not isinstance(each, kinds)]
        after = evolved(before, inside)
        self._tables[table] = after
        conversions = self._conversions(table, inside)
        rebuild = Rebuild(
            old=before,
            new=after,
            text=facts.text,
            conversions=conversions,
            fills=self._fills(table, inside),
        )
        back = Rebuild(
            old=after,
            new=before,
            text=facts.text,
            conversions={
                name: Conversion(how=how.how, forth=how.back or "{}")
                for name, how in conversions.items()
            },
        )
        proofs = self._proofs(table, inside)
        works = rebuild.work(), back.work()
        self._add_rebuild(table, inside, (conversions, proofs), works)

    def _add_rebuild(
        self,
        table: str,
        changes: Sequence[Change],
        needs: tuple[Mapping[str, Conversion], Sequence[Proof]],
        works: tuple[Work, Work],
    ) -> None:
        (conversions, proofs), (forth, back) = needs, works
        what = "rebuild_empty" if self._of(table).is_empty else "rebuild"
        if conversions and what == "rebuild":
            is_narrow = any(each.how == "narrow" for each in conversions.values())
            what = "narrow_type" if is_narrow else "convert"
        said = [_said(each) for each in changes if not _is_by_the_way(each)]
        text = f"make table {table} anew: {', '.join(said)}"
        step = self._step(what, table, text, [], [], is_lossy=True)
        inside = tuple(proofs) if table in self._renamed else ()
        self.steps.append(
            replace(
                step,
                work=replace(forth, statements=(*inside, *forth.statements)),
                undo=back,
                before=() if inside else tuple(proofs),
            )
        )

    def _conversions(
        self, table: str, changes: Sequence[Change]
    ) -> dict[str, Conversion]:
        found: dict[str, Conversion] = {}
        for change in changes:
            if isinstance(change, ChangeType):
                how = conversion(change.old, change.new, "sqlite")
                if how is None:
                    place = f"{table}.{change.new.name}"
                    self.problems.append(no_conversion(place, change.old, change.new))
                elif how.how != "collate":
                    found[change.new.name] = how
        return found

    def _fills(self, table: str, changes: Sequence[Change]) -> dict[str, str]:
        if self._of(table).is_empty:
            return {}
        found: dict[str, str] = {}
        for change in changes:
            if not isinstance(change, AddColumn | SetNotNull):
                continue
            column = change.column
            if change.fill is not None:
                found[column.name] = filling(change.fill, column)
            elif (
                isinstance(change, AddColumn)
                and not column.is_nullable
                and not column.identity
            ):
                self.problems.append(no_value(table, column.name))
        return found

    def _proofs(self, table: str, changes: Sequence[Change]) -> list[Proof]:
        """Return what must hold for the rows that are there."""
        if self._of(table).is_empty:
            return []
        proofs: list[Proof] = []
        added = {each.column.name for each in changes if isinstance(each, AddColumn)}
        filled = {step.work.backfill.place for step in self.steps if step.work.backfill}
        for change in changes:
            match change:
                case ChangeType():
                    proofs += self._round_trip(table, change)
                case SetNotNull(fill=None) if (table, change.column.name) not in filled:
                    proofs.append(no_nulls(table, change.column.name))
                case AddUnique() if not added.intersection(change.unique.columns):
                    proofs.append(no_twins(table, change.unique.columns))
                case AddKey() if not added.intersection(change.key.columns):
                    proofs.append(no_twins(table, change.key.columns))
                case AddForeignKey(foreign_key=key) if not added.intersection(
                    key.columns
                ):
                    if key.target in self._tables:
                        proofs.append(no_orphans(table, key))
                case _:
                    pass
        return proofs

    def _round_trip(self, table: str, change: ChangeType) -> list[Proof]:
        """Ask for values that would not come back as they were."""
        how, name = conversion(change.old, change.new, "sqlite"), quote(change.new.name)
        if how is None or how.back is None:
            return []
        back = how.back.format(f"({how.forth.format(name)})")
        return [
            Proof(
                f"SELECT 1 FROM {quote(table)} WHERE NOT (({back}) IS {name} "
                f"COLLATE {how.collation or 'BINARY'}) LIMIT 1",
                no_value_of(f"{table}.{change.new.name}", change.new),
            )
        ]


def _is_by_the_way(change: Change) -> bool:
    """Whether no table is made anew for it, nor anybody told."""
    return isinstance(change, RenameConstraint)


def _said(change: Change) -> str:  # noqa: PLR0911  # a table
    """Say in a few words what a new table does."""
    match change:
        case ChangeType():
            return f"{change.new.name} from {change.old.type} to {change.new.type}"
        case AddColumn():
            return f"add {change.column.name}"
        case SetNotNull():
            return f"{change.column.name} not NULL"
        case DropNotNull():
            return f"{change.column.name} may be NULL"
        case AddUnique():
            return f"{', '.join(change.unique.columns)} unique"
        case DropUnique():
            return f"{', '.join(change.unique.columns)} not unique"
        case AddForeignKey():
            key = change.foreign_key
            return f"{', '.join(key.columns)} refers to {key.target}"
        case DropForeignKey():
            key = change.foreign_key
            return f"{', '.join(key.columns)} no longer refers to {key.target}"
        case AddKey():
            return f"{', '.join(change.key.columns)} is the primary key"
        case DropKey():
            return f"{', '.join(change.key.columns)} is no primary key"
        case SetIdentity():
            return f"who makes values of {change.new.name}"
        case _:
            return type(change).__name__
