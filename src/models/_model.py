"""A declared model, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from msgspec.structs import force_setattr

from ..errors import UnknownFieldError
from ._field import Field
from ._foreign_key import ForeignKey
from ._privacy import Privacy

__all__ = ["Index", "Model", "Relation", "Relatives"]


class Index(msgspec.Struct, frozen=True):
    """An index that a model asks for.

    Attributes:
        fields: What it covers, in order.
        name: As the user named it, or None.
        is_unique: Whether no two rows hold the same values.
    """

    fields: tuple[str, ...]
    name: str | None = None
    is_unique: bool = False


class Relation(msgspec.Struct, frozen=True, eq=False, kw_only=True, weakref=True):
    """Which rows of another model belong to a row: those with the same values.

    A row that has None in one of the fields belongs to nothing.

    Attributes:
        name: What the related rows are called; no field has this name.
        source: Whose rows have it.
        target: What the related rows are.
        pairs: A field of *source* and the one of *target* it is equal to.
        is_many: Whether there may be more than one related row.
        is_own: Whether the foreign key is of *source*, rather than of *target*.
        foreign_key: What it is made of.
    """

    name: str
    source: Model
    target: Model
    pairs: tuple[tuple[Field, Field], ...]
    is_many: bool
    is_own: bool
    foreign_key: ForeignKey

    def __repr__(self) -> str:
        return f"<Relation {self.source.name}.{self.name} to {self.target.name}>"


class Relatives(Protocol):
    """The models among which those are that a model refers to; see `Family`."""

    @property
    def generation(self) -> int:
        """A number that changes whenever a model joins."""
        ...

    def relations(self, model: Model) -> Mapping[str, Relation]:
        """Return the relations of *model* by name."""
        ...

    def own(self, model: Model) -> tuple[Relation, ...]:
        """Return the relations that the foreign keys of *model* make."""
        ...

    def connected(self, model: Model) -> tuple[Model, ...]:
        """Return *model* and all that relations lead to."""
        ...


class Model(msgspec.Struct, frozen=True, eq=False, kw_only=True, weakref=True):
    """A declared model; equal only to itself, so it can be a key of caches.

    Attributes:
        name: Name of the class.
        table: Name of the table.
        fields: In order of declaration; an added ``id`` is the first.
        key: Names of the key fields.
        generated_key: The int key whose values the database makes, or None.
        indexes: Indexes asked for, unique ones too.
        uniques: Groups of fields that no two rows share, beside the key.
        options: What ``__dataflow__`` said.
        python_type: The user's class.
        created_field: Name of the managed time of creation, or None.
        updated_field: Name of the managed time of the last change, or None.
        names: Names of the fields, in their order.
        foreign_keys: What its fields refer to.
        family: The models among which those are; None for a model by itself.
        is_foreign: Others made the table: it is never created or changed here.
        unavailable: Why nodes cannot work on it, by what they would do
            (`dataflow.messages.Operation`).
        tenant_field: Name of the field with the tenant, or None.
        deleted_field: Name of the managed time of deletion, or None where rows are
            deleted for good.
        version_field: Name of the managed count of changes, or None.
        audit: How much of each change is recorded: ``off``, ``summary``, ``changes`` or
            ``full``.
        privacy: Whose data its rows are, and what becomes of it.
        owned: Names of the fields that only nodes write.
        identity: Names of the fields that tell rows apart in the table: the key and,
            behind it, the tenant.
        is_apart: Each tenant has a table of its own, in a schema or a database of its
            own.
        has_tenants: Its rows belong to tenants, by a column or by where they are.
        schema: The schema its table is in, or None for where plain names lead.
    """

    name: str
    table: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    python_type: type
    generated_key: str | None = None
    indexes: tuple[Index, ...] = ()
    uniques: tuple[tuple[str, ...], ...] = ()
    options: Mapping[str, Any] = {}
    created_field: str | None = None
    updated_field: str | None = None
    names: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    family: Relatives | None = None
    is_foreign: bool = False
    unavailable: Mapping[str, str] = {}
    tenant_field: str | None = None
    deleted_field: str | None = None
    version_field: str | None = None
    audit: str = "off"
    privacy: Privacy = Privacy()
    owned: frozenset[str] = frozenset()
    identity: tuple[str, ...] = ()
    is_apart: bool = False
    has_tenants: bool = False
    schema: str | None = None
    _by_name: Mapping[str, Field] = {}

    def __post_init__(self) -> None:
        by_name = {field.name: field for field in self.fields}
        force_setattr(self, "names", tuple(by_name))
        force_setattr(self, "_by_name", by_name)
        owned = (self.deleted_field, self.version_field)
        force_setattr(self, "owned", frozenset(filter(None, owned)))
        force_setattr(self, "identity", self.with_tenant(self.key))
        # Asked for each message.
        has_tenants = self.is_apart or self.tenant_field is not None
        force_setattr(self, "has_tenants", has_tenants)

    def __repr__(self) -> str:
        return f"<Model {self.name}({', '.join(self.names)})>"

    def with_tenant(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return *names* with the tenant behind them, where rows have one."""
        tenant = self.tenant_field
        return names if tenant is None or tenant in names else (*names, tenant)

    def field(self, name: str, owner: str | None = None) -> Field:
        """Return the field called *name*.

        Args:
            name: Name of the field.
            owner: Who was asked for it, for the error; the model by default.

        Raises:
            UnknownFieldError: There is none; the nearest name is told.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownFieldError(owner or self.name, name, self.names) from None

    def has_field(self, name: str) -> bool:
        """Whether there is a field called *name*."""
        return name in self._by_name

    @property
    def personal(self) -> tuple[Field, ...]:
        """The fields that hold personal data."""
        return tuple(each for each in self.fields if each.marks.pii is not None)

    # -- relations --------------------------------------------------------------

    @property
    def relations(self) -> Mapping[str, Relation]:
        """The relations of its rows by name, those that foreign keys elsewhere make too.

        Looked up when asked for: models declared later add to them.

        Raises:
            ModelError: A foreign key refers to nothing there is, or two relations
                would have the same name.
        """
        return {} if self.family is None else self.family.relations(self)

    @property
    def own_relations(self) -> tuple[Relation, ...]:
        """Those that its own foreign keys make.

        Raises:
            ModelError: One of them refers to nothing there is.
        """
        return () if self.family is None else self.family.own(self)

    @property
    def connected(self) -> tuple[Model, ...]:
        """Itself and all models that relations lead to, however far.

        Raises:
            ModelError: A foreign key, its own or of what it refers to, refers to
                nothing there is.
        """
        return (self,) if self.family is None else self.family.connected(self)

    @property
    def generation(self) -> int:
        """A number that changes whenever there may be more relations."""
        return 0 if self.family is None else self.family.generation
