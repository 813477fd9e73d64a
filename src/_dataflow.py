"""DataFlow: the object users hold; it wires the rooms together."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import MappingProxyType, TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, dataclass_transform, final

from ._records import Records
from .actors import Interceptor, Snapshot
from .drivers import parse_url
from .errors import ClosedError, DataFlowError, UnknownModelError, UnknownNodeError
from .models import Model, declare, field, seal
from .nodes import KINDS, Database, Engine, ModelNode, Node, SqlNode, databases, registry
from .schema import ensure_table
from .telemetry import get_log
from .workflow import (
    Given,
    Workflow,
    WorkflowBuilder,
    call_background,
    call_background_sync,
    hosting,
    plug_in,
    run,
)

__all__ = ["DataFlow"]

P = ParamSpec("P")
T = TypeVar("T")
ModelT = TypeVar("ModelT")

DEFAULT_URL: Final = "sqlite:///dataflow.db"
"""The database when nobody names one."""

_log = get_log("dataflow")


def _resolve(name: str) -> Node:
    """Find a node for a builder that belongs to no DataFlow."""
    if name == "AsyncSQLDatabaseNode":
        return SqlNode()
    return registry.resolve(name)


plug_in(resolve=_resolve, host=Engine)


@final
class DataFlow:
    """A database, its models, and the nodes generated from them.

    Entered with ``async with``, it runs on the event loop that entered it, with
    actors and pool of its own. Used without, it runs on a background thread that
    the process shares; that is how plain synchronous code, notebooks included,
    uses it.

    Args:
        database_url: Where the database is; without it ``DATABASE_URL`` of the
            environment, and without that ``sqlite:///dataflow.db``.
        auto_migrate: Create the table of a model with its first use.
        existing_schema_mode: Never change the schema, whatever else is said.
        enable_model_persistence: For a registry of models; this version has none
            and writes nothing.
        pool_size: Connections at most, per event loop.
        echo: Log each statement's text, never its values.
        tdd_mode: For a test mode; this version refuses it.
        interceptors: Layers around every node actor, the first outermost; sealed
            from here on.

    Raises:
        UrlError: The URL cannot be understood.
    """

    def __init__(
        self,
        database_url: str | None = None,
        *,
        auto_migrate: bool = True,
        existing_schema_mode: bool = False,
        enable_model_persistence: bool = True,  # noqa: ARG002  nothing to switch off yet
        pool_size: int = 20,
        echo: bool = False,
        tdd_mode: bool = False,
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        if tdd_mode:
            # Accepting it would let tests commit to a real database.
            msg = "tdd_mode is not available in this version: use a database per test"
            raise DataFlowError(msg)
        if pool_size < 1:
            msg = f"pool_size is at least 1, not {pool_size}"
            raise ValueError(msg)
        may_create = auto_migrate and not existing_schema_mode
        self._database = Database(
            parse_url(database_url or _default_url()),
            pool_size=pool_size,
            echo=echo,
            interceptors=interceptors,
            prepare=ensure_table if may_create else None,
        )
        self._models: dict[str, Model] = {}
        self._nodes: dict[str, Node] = {"AsyncSQLDatabaseNode": databases.add(self._database)}
        self._stack: AsyncExitStack | None = None
        self._engine: Engine | None = None

    def __repr__(self) -> str:
        return f"<DataFlow {self._database.url.safe}, models: {', '.join(self._models)}>"

    # -- models ------------------------------------------------------------------

    @dataclass_transform(kw_only_default=True, field_specifiers=(field,))
    def model(self, cls: type[ModelT]) -> type[ModelT]:
        """Declare a model by a class with annotations, and generate its nodes.

        Declaring a model of the same name again replaces it.

        Raises:
            ModelError: The class cannot be mapped; names the field and what would be
                supported.
            ClosedError: The DataFlow is closed.
        """
        self._check_open()
        model = declare(cls)
        nodes: list[Node] = [kind(model, self._database) for kind in KINDS]
        seal(cls, model)
        self._models[model.name] = model
        self._nodes.update((node.name, node) for node in nodes)
        registry.add(nodes)
        return cls

    def list_models(self) -> list[str]:
        """Return the names of the models, in the order they were declared."""
        return list(self._models)

    def get_model(self, name: str) -> type:
        """Return the class declared under *name*; its model is `Records.model`.

        Raises:
            UnknownModelError: There is none; the nearest name is told.
        """
        return self._model(name).python_type

    def _model(self, model: str | type) -> Model:
        name = model if isinstance(model, str) else model.__name__
        found = self._models.get(name)
        if found is None:
            raise UnknownModelError(name, tuple(self._models))
        return found

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes there are, by name."""
        return MappingProxyType(self._nodes)

    def __getitem__(self, model: str | type) -> Records:
        """Return the rows of a model, for direct calls.

        Raises:
            UnknownModelError: It is not declared here.
        """
        declared = self._model(model)
        prefix = declared.name
        nodes = {
            node.operation: node
            for name, node in self._nodes.items()
            if isinstance(node, ModelNode) and node.model is declared
        }
        assert prefix and nodes, "a declared model has nodes"  # noqa: S101, PT018
        return Records(declared, nodes, self._call)

    # -- workflows ---------------------------------------------------------------

    def workflow(self, name: str = "workflow") -> WorkflowBuilder:
        """Return a builder whose node names mean the models of this DataFlow."""
        return WorkflowBuilder(self._resolve, name=name)

    def _resolve(self, name: str) -> Node:
        node = self._nodes.get(name)
        if node is None:
            raise UnknownNodeError(name, tuple(self._nodes))
        return node

    async def run(
        self,
        workflow: Workflow,
        parameters: Given | None = None,
        *,
        deadline: float | None = None,
        run_id: str | None = None,
        principal: str | None = None,
        tenant: str | None = None,
    ) -> tuple[dict[str, Any], str]:
        """Run a workflow and return the results by node, and the run's id.

        If cancelled, nodes that ran stay done; see `dataflow.workflow.run`.

        Args:
            workflow: What to run, built.
            parameters: By node, what to give it beside and above its constants.
            deadline: Time by which all must be done, in seconds on the clock of
                `anyio.current_time`; None means no limit. Only within ``async with``.
            run_id: What logs and errors call the run.
            principal: Who asks.
            tenant: For whom.

        Raises:
            WorkflowError: A node failed; its error is the cause.
            ClosedError: The DataFlow is closed.
        """
        limit = float("inf") if deadline is None else deadline
        return await self._call(
            run,
            workflow,
            parameters,
            deadline=limit,
            run_id=run_id,
            principal=principal,
            tenant=tenant,
        )

    async def _call(
        self,
        function: Callable[Concatenate[Any, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call *function* with the engine: the one entered, else the background's."""
        if self._engine is not None:
            return await function(self._engine, *args, **kwargs)
        self._check_open()
        return await call_background(function, *args, **kwargs)

    # -- life cycle --------------------------------------------------------------

    async def initialize(self) -> bool:
        """Connect, and create the tables of all models if that is allowed.

        Not needed: both happen with the first use. It shows problems early.

        Returns:
            True.

        Raises:
            DriverError: The database could not be reached, or refused.
            ClosedError: The DataFlow is closed.
        """
        return await self._call(self._prepare)

    async def _prepare(self, engine: Engine) -> bool:
        await engine.ping(self._database)
        for model in tuple(self._models.values()):
            await engine.prepare(self._database, model)
        return True

    def tree(self) -> Snapshot | None:
        """Return what its actors look like now; None unless it is entered."""
        return None if self._engine is None else self._engine.tree()

    async def __aenter__(self) -> Self:
        """Start an engine on the running event loop.

        Raises:
            ClosedError: The DataFlow is closed.
            RuntimeError: It is entered already.
        """
        self._check_open()
        if self._stack is not None:
            msg = "this DataFlow is entered already: use one per event loop"
            raise RuntimeError(msg)
        self._stack = stack = AsyncExitStack()
        try:
            self._engine = await stack.enter_async_context(Engine())
            stack.enter_context(hosting(self._engine))
        except BaseException:
            self._stack = None
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        """Stop the engine: actors drain, then the pool closes.

        The DataFlow may be entered again. When the block ends by an error or is
        cancelled, what runs is cancelled and rolled back.
        """
        stack, self._stack = self._stack, None
        assert stack is not None, "left without being entered"  # noqa: S101
        try:
            return await stack.__aexit__(kind, error, trace)
        finally:
            self._engine = None

    async def aclose(self) -> None:
        """Close for good: forget the nodes, stop the actors, close the pool.

        Within ``async with`` the engine ends with the block. Idempotent.
        """
        if self._shut():
            await call_background(_release, self._database)

    def close(self) -> None:
        """Do what `aclose` does, from synchronous code."""
        if self._shut():
            call_background_sync(_release, self._database)

    def _shut(self) -> bool:
        was_open = not self._database.is_closed
        self._database.is_closed = True
        registry.remove(self._database)
        databases.remove(self._database)
        return was_open

    def _check_open(self) -> None:
        if self._database.is_closed:
            raise ClosedError(repr(self))


async def _release(engine: Any, database: Database) -> None:  # noqa: ANN401  the plugged host
    await engine.release(database)


def _default_url() -> str:
    url = os.environ.get("DATABASE_URL")
    if url:
        return url
    _log.warning("database_url_missing", using=DEFAULT_URL)
    return DEFAULT_URL
