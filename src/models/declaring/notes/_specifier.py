"""What is written behind a field's annotation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ..._field import Marks
from ._references import OnChange, References

__all__ = ["Specifier", "field", "read_specifier"]

_MISSING: Final[Any] = object()


class Specifier(msgspec.Struct, frozen=True, eq=False):
    """What `field` was given.

    Attributes:
        default: The default, or a mark that there is none.
        default_factory: Makes the default, or a mark that there is none.
        is_key: Whether the field is the key, or part of it.
        is_unique: Whether no two rows hold the same value.
        is_indexed: Whether the field has an index of its own.
        digits: Precision and scale of a Decimal, or None.
        references: What the field refers to, or None.
        marks: How it is protected.
        is_defaulted: Whether the database has a value when a create says none.
        is_computed: Whether the database always makes the value.
        renamed_from: What its column was called before, or None.
        is_given: Whether the database makes no value of it, though it is the key.
    """

    default: Any = _MISSING
    default_factory: Any = _MISSING
    is_key: bool = False
    is_unique: bool = False
    is_indexed: bool = False
    digits: tuple[int, int] | None = None
    references: References | None = None
    marks: Marks = Marks()
    is_defaulted: bool = False
    is_computed: bool = False
    renamed_from: str | None = None
    is_given: bool = False

    @property
    def has_default(self) -> bool:
        """Whether a default value was given; None is one."""
        return self.default is not _MISSING

    @property
    def has_factory(self) -> bool:
        """Whether a factory was given."""
        return self.default_factory is not _MISSING


def field(
    *,
    default: object = _MISSING,
    default_factory: Callable[[], Any] = _MISSING,
    primary_key: bool = False,
    unique: bool = False,
    index: bool = False,
    digits: tuple[int, int] | None = None,
    database_default: bool = False,
    computed: bool = False,
    generated: bool = True,
    references: str | type | None = None,
    on_delete: OnChange = "no_action",
    on_update: OnChange = "no_action",
    relation: str | None = None,
    backref: str | None = None,
    immutable: bool = False,
    write_once: bool = False,
    never_null: bool = False,
    mask: str | None = None,
    pii: str | None = None,
    renamed_from: str | None = None,
) -> Any:  # noqa: ANN401  # it stands for a value of any type
    """Say more of a field than its annotation does.

    Args:
        default: Its value when a create does not say.
        default_factory: Makes that value anew for each row, such as `uuid4`.
        primary_key: It is the key; on several fields, they are it together.
        unique: No two rows hold the same value.
        index: Give it an index of its own.
        digits: Of a Decimal: digits altogether, and after the point.
        database_default: The column, which others made, has a default of its own.
        computed: The column, which others made, is always computed by the database.
        generated: Whether the database makes the values of an int key called ``id``;
            False says that a create gives them.
        references: It holds the key of a row of this model, ``"Customer"`` or the
            class, or a unique field of it, ``"Customer.code"``.
        on_delete: What becomes of the row when the one it refers to is deleted.
        on_update: The same when that one's key changes.
        relation: What the row it refers to is called; ``customer`` for a field
            ``customer_id`` if None.
        backref: What rows like this are called there; as their table if None.
        immutable: No write changes it once its row is there.
        write_once: No write changes it once it is not None.
        never_null: No write sets it to None.
        mask: Show its values so to whoever has no leave to see them: ``"full"``,
            ``"partial"`` or ``"null"``.
        pii: What personal data it holds, such as ``"email"``; masks it, partially if
            ``mask`` does not say.
        renamed_from: What its column was called before; a migration renames it.
    """
    said = References(references, on_delete, on_update, relation, backref)
    marks = Marks(
        immutable, write_once, never_null, mask or ("partial" if pii else None), pii
    )
    return Specifier(
        default,
        default_factory,
        primary_key,
        unique,
        index,
        digits,
        None if said == References(None) else said,
        marks=marks,
        is_defaulted=database_default,
        is_computed=computed,
        renamed_from=renamed_from,
        is_given=not generated,
    )


def read_specifier(written: object) -> Specifier:
    """Return what *written*, the value in the class body, says.

    Fields of dataclasses and of msgspec are understood as far as they say a
    default; anything else is the default itself.
    """
    if isinstance(written, Specifier):
        return written
    if isinstance(written, _FIELDS):
        of_other: Any = written
        default, factory = of_other.default, of_other.default_factory
        return Specifier(_present(default), _present(factory))
    return Specifier(written)


_msgspec_field: object = msgspec.field()
_FIELDS: Final[Any] = (dataclasses.Field, type(_msgspec_field))


def _present(default: object) -> object:
    absent = (dataclasses.MISSING, msgspec.NODEFAULT)
    return _MISSING if any(default is each for each in absent) else default
