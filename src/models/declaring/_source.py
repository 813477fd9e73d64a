"""What stands in the body of a class: annotations and what is behind them."""

from __future__ import annotations

import sys
from types import FrameType, MemberDescriptorType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from ...errors import ModelError
from .notes import FieldAttribute, Specifier, read_specifier, written_in

__all__ = ["read_source"]


def read_source(cls: type) -> dict[str, tuple[Any, Specifier]]:
    """Return annotation and specifier by field name, a base class's first.

    Class variables and dunder names (``__tablename__``) are not fields.

    Raises:
        ModelError: An annotation names something unknown.
    """
    return {
        name: (_without_attribute(annotation), _specifier(cls, name))
        for name, annotation in _annotations(cls).items()
        if not _is_class_variable(annotation) and not _is_dunder(name)
    }


def _annotations(cls: type) -> dict[str, Any]:
    try:
        try:
            return get_type_hints(cls, include_extras=True)
        except (NameError, TypeError):
            # Defined inside a function: its names are not global. One may be that of a
            # field as well, as in `date: date`, and then that of an attribute.
            return get_type_hints(cls, localns=_names_near(cls), include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        msg = (
            f"an annotation cannot be resolved ({error}): import what it names at "
            "run time, above the class"
        )
        raise ModelError(cls.__name__, None, msg) from error


def _names_near(cls: type) -> dict[str, Any]:
    """Return the names that a string annotation of *cls* may mean."""
    names: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        body = vars(base).items()
        names.update((k, v) for k, v in body if not isinstance(v, FieldAttribute))
    names.update(vars(sys.modules[cls.__module__]))
    frame: FrameType | None = sys._getframe()  # noqa: SLF001  # locals are wanted
    near: list[FrameType] = []
    while frame is not None:
        if frame.f_globals.get("__name__") == cls.__module__:
            near.append(frame)
        frame = frame.f_back
    for each in reversed(near):  # the nearest last: it wins
        names.update(each.f_locals)
    return names


def _without_attribute(annotation: Any) -> Any:  # noqa: ANN401  # an annotation
    """Return the type of a field that is written as ``Column[int]``."""
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, FieldAttribute):
        return get_args(annotation)[0]
    return annotation


def _is_class_variable(annotation: object) -> bool:
    return annotation is ClassVar or get_origin(annotation) is ClassVar


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _specifier(cls: type, name: str) -> Specifier:
    for base in cls.__mro__:
        body = vars(base)
        from_dataclass = body.get("__dataclass_fields__", {})
        if name in from_dataclass:
            return read_specifier(from_dataclass[name])
        written = written_in(base, name)
        is_slot = isinstance(written, MemberDescriptorType)
        if not is_slot and written is not FieldAttribute.NOT_WRITTEN:
            return read_specifier(written)
    return Specifier()
