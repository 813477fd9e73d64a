"""What a declared class has in place of a field's default."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["FieldAttribute", "written_in"]


class FieldAttribute:
    """Stands for a field on its class, and keeps what was written there.

    A class may be declared more than once, and be the base of others; whoever reads
    its body finds what its author wrote. As an annotation, with the type of the field
    in brackets, it says no more than that type.
    """

    __slots__ = ()

    NOT_WRITTEN: ClassVar[Any] = object()
    """Says that nothing stood behind an annotation."""

    @property
    def written(self) -> Any:  # noqa: ANN401  # a default of any type
        """What stood behind the annotation, or `NOT_WRITTEN`."""
        return self.NOT_WRITTEN


def written_in(cls: type, name: str) -> Any:  # noqa: ANN401  # see above
    """Return what the author of *cls* wrote behind *name*, or `NOT_WRITTEN`."""
    value = vars(cls).get(name, FieldAttribute.NOT_WRITTEN)
    return value.written if isinstance(value, FieldAttribute) else value
