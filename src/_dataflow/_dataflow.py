"""DataFlow: the object users hold; it wires the rooms together."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, dataclass_transform, final

import anyio

from .._records import Records, ask
from ..actors import Interceptor, Snapshot
from ..drivers import parse_url
from ..errors import DataFlowError
from ..models import field
from ..nodes import Catalogue, Database, Host, ModelNode, Node
from ..schema import ensure_table
from ..workflow import Given, Workflow, WorkflowBuilder, run
from ._default_url import default_url
from ._hosting import Hosting
from ._tenants import across_tenants, as_tenant

__all__ = ["DataFlow"]

ModelT = TypeVar("ModelT")


@final
class DataFlow:
    """A database, its models, and the nodes generated from them.

    Entered with ``async with``, it runs on the event loop that entered it, with
    actors and pool of its own; several event loops may enter it. Used without, it
    runs on a background thread that the process shares; that is how plain
    synchronous code, notebooks included, uses it.

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
        enable_model_persistence: bool = True,
        pool_size: int = 20,
        echo: bool = False,
        tdd_mode: bool = False,
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        del enable_model_persistence  # there is nothing to switch off yet
        if tdd_mode:
            # Accepting it would let tests commit to a real database.
            msg = "tdd_mode is not available in this version: use a database per test"
            raise DataFlowError(msg)
        if pool_size < 1:
            msg = f"pool_size is at least 1, not {pool_size}"
            raise ValueError(msg)
        may_create = auto_migrate and not existing_schema_mode
        self._database = Database(
            parse_url(database_url or default_url()),
            pool_size=pool_size,
            echo=echo,
            interceptors=interceptors,
            prepare=ensure_table if may_create else None,
        )
        self._catalogue = Catalogue(self._database)
        self._records: dict[str, Records] = {}
        self._hosting = Hosting(self._database)

    def __repr__(self) -> str:
        return (
            f"<DataFlow {self._database.url.safe}, models: {', '.join(self._records)}>"
        )

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
        model, nodes = self._catalogue.add(cls)
        self._records[model.name] = Records(model, nodes, self._ask)
        return cls

    def _ask(
        self, node: ModelNode[Any], given: dict[str, Any]
    ) -> Awaitable[dict[str, Any]]:
        # Not a coroutine, and none in between where it can be helped: each is resumed
        # with the one it waits for, which costs 0.5 µs a call.
        engine = self._hosting.current()
        ref = None if engine is None else engine.ref_nowait(node)
        if ref is None:
            return self._hosting.call(ask, node, given)
        return ref.ask(node.message(given), idempotent=node.is_idempotent)

    def list_models(self) -> list[str]:
        """Return the names of the models, in the order they were declared."""
        return list(self._records)

    def get_model(self, name: str) -> type:
        """Return the class declared under *name*; its model is `Records.model`.

        Raises:
            UnknownModelError: There is none; the nearest name is told.
        """
        return self._catalogue.model(name).python_type

    def __getitem__(self, model: str | type) -> Records:
        """Return the rows of a model, for direct calls.

        Raises:
            UnknownModelError: It is not declared here.
        """
        name = model if isinstance(model, str) else model.__name__
        records = self._records.get(name)
        return records or self._records[self._catalogue.model(name).name]

    # -- workflows ---------------------------------------------------------------

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes there are, by name."""
        return self._catalogue.nodes

    def workflow(self, name: str = "workflow") -> WorkflowBuilder:
        """Return a builder whose node names mean the models of this DataFlow."""
        return WorkflowBuilder(self._catalogue.node, name=name)

    async def run(
        self,
        workflow: Workflow,
        parameters: Given | None = None,
        *,
        deadline: float = math.inf,
        run_id: str | None = None,
        principal: str | None = None,
        tenant: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], str]:
        """Run a workflow and return the results by node, and the run's id.

        If cancelled, nodes that ran stay done; see `dataflow.workflow.run`, whose
        arguments and errors these are.

        Raises:
            ClosedError: The DataFlow is closed.
        """
        engine = self._hosting.current()
        if engine is not None:
            return await run(
                engine,
                workflow,
                parameters,
                deadline=deadline,
                run_id=run_id,
                principal=principal,
                tenant=tenant,
                context=context,
            )
        # A time of this event loop's clock means nothing to another one.
        is_limited = deadline != math.inf
        left_s = deadline - anyio.current_time() if is_limited else math.inf
        names = {"run_id": run_id, "principal": principal, "tenant": tenant}
        call = partial(_run, context=context, **names)
        return await self._hosting.call(call, workflow, parameters, left_s)

    # -- tenants -----------------------------------------------------------------

    def tenant(self, name: str) -> AbstractContextManager[None]:
        """Return a block in which everything is done for one tenant.

        It holds for the task that enters it, and for tasks that start inside.

        Raises:
            TenantMismatchError: The code works for another one already.
        """
        return as_tenant(name)

    def cross_tenant(
        self, *, reason: str, may_write: bool = False
    ) -> AbstractContextManager[None]:
        """Return a block for administration: filters mean the rows of all tenants.

        Each access is logged with the reason, as ``cross_tenant_access``. Rows are
        found by filters; what has a ``tenant_id`` is about that tenant alone.

        Args:
            reason: Why, for the log.
            may_write: Whether it may change rows, and run raw SQL.

        Raises:
            TenantScopeError: The code works for one tenant.
        """
        return across_tenants(reason, may_write=may_write)

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
        models = tuple(self._catalogue.models.values())
        return await self._hosting.prepare(models)

    def tree(self) -> Snapshot | None:
        """Return what its actors look like now; None unless it is entered here."""
        engine = self._hosting.engines.current()
        return None if engine is None else engine.tree()

    async def __aenter__(self) -> Self:
        """Start an engine on the running event loop.

        Raises:
            ClosedError: The DataFlow is closed.
            RuntimeError: It is entered on this event loop already.
        """
        self._database.check_open()
        await self._hosting.engines.enter()
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
        return await self._hosting.engines.leave(kind, error, trace)

    async def aclose(self) -> None:
        """Close for good; whatever is asked of it afterwards raises `ClosedError`.

        Where it is entered, connections are closed at the end of the block. If
        cancelled, it is closed all the same. Idempotent.
        """
        self._shut()
        await self._hosting.aclose()

    def close(self) -> None:
        """Do what `aclose` does, from synchronous code."""
        self._shut()
        self._hosting.close()

    def _shut(self) -> None:
        self._database.close()
        self._catalogue.close()


async def _run(
    host: Host,
    workflow: Workflow,
    parameters: Given | None,
    left_s: float,
    /,
    *,
    context: Mapping[str, Any] | None,
    **names: str | None,
) -> tuple[dict[str, Any], str]:
    deadline = math.inf if left_s == math.inf else anyio.current_time() + left_s
    return await run(
        host, workflow, parameters, deadline=deadline, context=context, **names
    )
