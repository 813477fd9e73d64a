"""The seam between workflows and every kind of node.

A node is a value: it describes one node type, checks what it is given, and
makes the message for its actor. It never runs anything. A host runs nodes on
one event loop; it alone knows how the actor of a kind of node is made.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Protocol,
    Union,
    get_args,
    get_origin,
    is_typeddict,
)

import msgspec

from ..actors import ActorRef
from ..messages import Message

__all__ = ["Host", "Node", "Port"]


class Port(msgspec.Struct, frozen=True):
    """A named place where a value enters a node or leaves it.

    Attributes:
        name: What a parameter or a connection calls it.
        type: Annotation of its values, such as ``int | None``; `Any` when it is
            not known, and then nothing is refused on its account.
        is_required: Must have a value; says nothing about an output.
    """

    name: str
    type: Any = Any
    is_required: bool = False

    def takes(self, value: object) -> bool:
        """Whether *value* may enter, as far as its class tells."""
        classes = _classes(self.type)
        return classes is None or any(_fits(type(value), each) for each in classes)

    def takes_from(self, output: Port) -> bool:
        """Whether some value of *output* may enter: False is certain, True is not."""
        ours, theirs = _classes(self.type), _classes(output.type)
        if ours is None or theirs is None:
            return True
        return any(
            _fits(their, our) or _fits(our, their) for our in ours for their in theirs
        )

    @property
    def expected(self) -> str:
        """What it takes, in words for an error."""
        if self.type is Any:
            return "any value"
        is_plain = isinstance(self.type, type) and get_origin(self.type) is None
        return self.type.__name__ if is_plain else str(self.type)


class Node(ABC):
    """One node type: immutable, shared by all workflows that use it.

    Attributes:
        name: Name of the node type, such as ``UserCreateNode``.
        is_idempotent: Its messages may be delivered again after a crash.
        is_self_checking: Its actor refuses whatever `check` refuses, and has then
            done nothing.
        owner: The `Database` it belongs to; None for a function.
    """

    name: str
    is_idempotent: bool = False
    is_self_checking: bool = False
    owner: object | None = None

    @abstractmethod
    def accepts(self, name: str) -> Port | None:
        """Return the input of this name, or None when there is none."""

    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the inputs, for the nearest name in an error."""

    @abstractmethod
    def offers(self, name: str) -> Port | None:
        """Return the top-level output of this name, or None when there is none."""

    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Return the names of the outputs, for the nearest name in an error."""

    def bind(self, parameters: Mapping[str, Any]) -> Node:
        """Return the node that stands for this one, given the constants beside it.

        Asked once, when it is added to a workflow: a kind of node whose constants
        say where it runs returns one that is there.
        """
        return self

    @abstractmethod
    def check(
        self, where: str, parameters: Mapping[str, Any], arriving: Collection[str]
    ) -> None:
        """Check, before anything runs, what the node will be given.

        Nothing unknown, nothing missing, every constant of the right type.

        Args:
            where: What errors call this node: its type, and its id in a workflow.
            parameters: The constants.
            arriving: Inputs that get their value at run time. A name may be in
                both: then the constant stands in when nothing arrives.

        Raises:
            DataFlowError: The first thing that is wrong, as a rule a
                `ParameterError`.
        """

    @abstractmethod
    def message(self, parameters: dict[str, Any]) -> Message:
        """Make what travels to the actor; *parameters* belongs to the node now.

        Raises:
            DataFlowError: What can be told at no cost, such as a missing name; the
                actor checks the rest.
        """


class Host(Protocol):
    """What runs nodes on one event loop; the actor of a node starts with its ref."""

    def ref_nowait(self, node: Node) -> ActorRef | None:
        """Return the address of the node's actor, or None if `ref` must be awaited."""
        ...

    async def ref(self, node: Node) -> ActorRef:
        """Return the address of the node's actor; start what it needs first.

        If cancelled, what was started stays with the host and serves later calls.

        Raises:
            ClosedError: The host has stopped.
        """
        ...


def _classes(annotation: object) -> tuple[type, ...] | None:
    """Return the classes whose instances *annotation* allows, None if unknown."""
    if is_typeddict(annotation):
        return (dict,)
    found: Any = get_origin(annotation) or annotation or NoneType
    arguments: tuple[object, ...] = get_args(annotation)
    if found is Annotated:
        return _classes(arguments[0])
    if found is Literal:
        return tuple(type(each) for each in arguments)
    if found in {Union, UnionType}:
        return _classes_of_all(arguments)
    if found is Any or getattr(found, "_is_protocol", False):
        return None
    return (found,) if isinstance(found, type) else None


def _classes_of_all(members: tuple[object, ...]) -> tuple[type, ...] | None:
    """Return the classes that any of *members* allows, None if one is unknown."""
    found: list[type] = []
    for member in members:
        classes = _classes(member)
        if classes is None:
            return None
        found.extend(classes)
    return tuple(found)


def _fits(given: type, wanted: type) -> bool:
    """Whether *given* may stand for *wanted*; an int may stand for a float."""
    return issubclass(given, wanted) or (wanted is float and issubclass(given, int))
