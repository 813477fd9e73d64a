"""DataFlow: the object users hold; it wires the rooms together."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from functools import cached_property, partial
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    Self,
    TypeVar,
    dataclass_transform,
    final,
)

import anyio

from .._records import Records, ask
from ..actors import Interceptor, Snapshot
from ..audit import check_extra, seals
from ..drivers import parse_url
from ..errors import DataFlowError
from ..models import Model, field
from ..nodes import (
    Catalogue,
    Database,
    GivenLimits,
    Host,
    Limits,
    ModelNode,
    Node,
)
from ..protection import Approve, Lift, Override, Policy, Protection, Rule
from ..schema import ensure_table
from ..workflow import Given, Workflow, WorkflowBuilder, run
from ._default_url import default_url
from ._hosting import Hosting
from ._master_keys import PrivacyKeys, master_keys
from ._migrated import MigratedDatabase
from ._protection import act, connection_name, pass_by, seconds
from ._row_security import RowSecurityView, row_security_of
from ._secret_key import secret_key
from ._tenancy import Tenancy
from ._tenants import across_tenants, as_tenant
from .existing import Discovery, ExistingDatabase, Registry
from .migrations import Migrations

if TYPE_CHECKING:
    from ._privacy import Privacy
    from .audits import Audit
    from .tenants import Tenants

__all__ = ["DataFlow"]

ModelT = TypeVar("ModelT")
T = TypeVar("T")


@final
class DataFlow(ExistingDatabase, MigratedDatabase):
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
        enable_model_persistence: Let `initialize` and `register_models` keep the
            declared models in the table ``dataflow_models``; never where the schema
            is not to be changed.
        pool_size: Connections at most, per event loop.
        echo: Log each statement's text, never its values.
        tdd_mode: For a test mode; this version refuses it.
        interceptors: Layers around every node actor, the first outermost; sealed
            from here on. The rules of *protection* are judged behind them.
        cursor_key: Signs the cursors of lists, at least 16 bytes; without it
            ``DATAFLOW_CURSOR_KEY`` of the environment. Without that cursors end with
            the process; several that serve the same pages need a common key.
        protection: Rules for what is read and written: a `Policy`, the name of a
            preset (``"production"``), a rule, or a list of rules.
        approve: Says whether a message may be carried out that a rule wants approved.
        cursor_key: Signs the cursors of lists, at least 16 bytes; without it
            ``DATAFLOW_CURSOR_KEY`` of the environment. Without that cursors end with
            the process; several that serve the same pages need a common key.

        audit_key: Signs what models with ``audit`` record, at least 16 bytes; without
            it ``DATAFLOW_AUDIT_KEY`` of the environment. Without that it is chained,
            and not signed.
        privacy_keys: Wraps the keys by which the audit seals what is personal: a key of
            at least 16 bytes, several of which the first is for new ones, or a
            `KeyProvider`; without it ``DATAFLOW_PRIVACY_KEYS`` of the environment, and
            without that the *audit_key*. Without any key personal values are not
            recorded.
        tenant_limits: What each tenant may have of what all share: `TenantLimits`, or
            only those of some tenants, as a mapping or a function by their names.
            Without them tenants take turns, each as often as the others.
        tenancy: What keeps tenants apart: ``row``, a column; ``schema``, a schema of
            the PostgreSQL database for each; ``database``, a database or SQLite file
            for each.
        tenant_url: With ``database``, where those are: a URL with ``{tenant}`` in it,
            or a function from the name of a tenant to its URL; without it they are
            beside *database_url*.
        tenant_schema: With ``schema``, what those are called: a name with ``{tenant}`` in
            it; without it ``tenant_{tenant}``.
        max_open_tenants: Tenants with a schema or a database of their own whose actors
            and connections are kept at once, per event loop.
        tenant_pool_size: Connections to a tenant's own database at most; with ``schema``
            as many of *pool_size* as one tenant may use at once.
        known_tenants_only: Serve only tenants that were made with ``db.tenants``; with
            ``schema`` and ``database`` that is always so.
        row_security: Keep tenants apart by policies of PostgreSQL as well. They are
            made with the tables, and looked for before the first use of a model.

    Attributes:
        audit: What models with ``audit`` have recorded: to verify it.
        privacy: The persons whose data it holds: to export and to erase them.
        protection: The rules in force: to change them, and to ask what they say.
        tenants: To make tenants, suspend, export and delete them; what each may have, to
            change it, and who waits.
        row_security: The policies of models with tenants, as SQL.

    Raises:
        UrlError: The URL cannot be understood.
        ValueError: The key is too short, or a limit makes no sense.
        PolicyError: A rule cannot be used.
        RowSecurityError: It is asked for, and the database has none.
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
        cursor_key: str | bytes | None = None,
        protection: Policy | Rule | Sequence[Rule] | str | None = None,
        approve: Approve | None = None,
        audit_key: str | bytes | None = None,
        privacy_keys: PrivacyKeys | None = None,
        tenant_limits: GivenLimits | None = None,
        tenancy: Literal["row", "schema", "database"] = "row",
        tenant_url: str | Callable[[str], str] | None = None,
        tenant_schema: str | None = None,
        max_open_tenants: int = 32,
        tenant_pool_size: int = 5,
        known_tenants_only: bool = False,
        row_security: bool = False,
    ) -> None:
        if tdd_mode:
            # Accepting it would let tests commit to a real database.
            msg = "tdd_mode is not available in this version: use a database per test"
            raise DataFlowError(msg)
        if pool_size < 1:
            msg = f"pool_size is at least 1, not {pool_size}"
            raise ValueError(msg)
        may_create = auto_migrate and not existing_schema_mode
        url = parse_url(database_url or default_url())
        self.protection = Protection(
            protection, connection_name(url), url.dialect, approve=approve
        )
        self._tenancy = Tenancy.declared(
            tenancy,
            url,
            tenant_url,
            tenant_schema,
            limit=max_open_tenants,
            pool_size=tenant_pool_size,
            known_only=known_tenants_only,
        )
        if row_security and tenancy != "row":
            msg = 'row_security is for tenancy="row": others share no tables'
            raise ValueError(msg)
        signing = secret_key(audit_key, "audit_key")
        wall = row_security_of(url, is_on=row_security)
        self._database = Database(
            url,
            pool_size=pool_size,
            echo=echo,
            interceptors=(*interceptors, self.protection.layer, self._tenancy.raw_sql),
            cursor_key=secret_key(cursor_key, "cursor_key"),
            audit_key=signing,
            masters=master_keys(privacy_keys, signing),
            prepare=ensure_table if may_create else None,
            limits=Limits(tenant_limits),
            gate=self._tenancy.gate,
            apart=self._tenancy.places,
            row_security=wall,
        )
        self._catalogue = Catalogue(self._database, self._accept)
        self.row_security = RowSecurityView(wall, self._catalogue)
        self._records: dict[str, Records] = {}
        self._hosting = Hosting(self._database)
        self._migrations = Migrations(
            self._database,
            self._hosting,
            self._catalogue,
            is_fixed=existing_schema_mode,
        )
        self._discovery = Discovery(
            self._database, self._hosting, self._catalogue, self._adopt
        )
        off = None if enable_model_persistence else "enable_model_persistence=False"
        if not may_create:
            off = "existing_schema_mode=True or auto_migrate=False"
        self._registry = Registry(self._hosting, self._catalogue, self._adopt, off)

    def __repr__(self) -> str:
        return (
            f"<DataFlow {self._database.url.safe}, models: {', '.join(self._records)}>"
        )

    @cached_property
    def tenants(self) -> Tenants:
        """Those whose rows it holds: their life, their limits, their migrations."""
        from .tenants import Rows, Tenants  # noqa: PLC0415  # not at start

        return Tenants(
            self._database,
            self._hosting,
            self._catalogue,
            self._tenancy,
            Rows(self._records),
            migrations=self._migrations,
        )

    @cached_property
    def audit(self) -> Audit:
        """What was changed, by whom and why; whether nobody changed that."""
        from .audits import Audit  # noqa: PLC0415  # not at start

        return Audit(self._database, self._hosting, self._catalogue)

    @cached_property
    def privacy(self) -> Privacy:
        """The persons whose data it holds: to export and to erase them."""
        from ._privacy import Privacy  # noqa: PLC0415  # not at start

        return Privacy(self._database, self._hosting, self._catalogue)

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
        self._records[model.name] = Records(model, nodes, self._ask, self._call)
        self._add_archive(model)
        return cls

    def _add_archive(self, model: Model) -> None:
        """Declare where old rows of *model* go, if it archives them.

        A model without archive and persons leaves the room of privacy out of the start.
        """
        retention = model.privacy.retention
        is_archived = retention is not None and retention.action == "archive"
        if not (is_archived or model.personal or "privacy" in vars(self)):
            return
        archive = self.privacy.archive(model)
        if archive is not None:
            self._adopt(archive)

    def _accept(self, model: Model) -> None:
        if self._database.masters is not None and seals(model):
            check_extra(f"the audit of {model.name}, whose personal values it seals,")
        self.protection.declare(model)
        self._tenancy.declare(model)

    def _adopt(self, model: Model) -> Sequence[ModelNode[Any]]:
        model, nodes = self._catalogue.adopt(model)
        self._records[model.name] = Records(model, nodes, self._ask, self._call)
        self._add_archive(model)
        known = self._catalogue.nodes  # others serve direct calls only
        return tuple(each for each in nodes.values() if each.name in known)

    def _call(
        self, function: Callable[[Host, T], Awaitable[object]], value: T, /
    ) -> Awaitable[Any]:
        return self._hosting.call(function, value)

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
        # Those come by themselves; where nothing asked for privacy, there are none.
        archives = self.privacy.archives if "privacy" in vars(self) else ()
        return [name for name in self._records if name not in archives]

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

    # -- protection --------------------------------------------------------------

    def protect(self, *rules: Rule) -> Lift:
        """Add rules for all messages from now on; as a block, until its end.

        Raises:
            PolicyError: A name in them means nothing, or an id is taken.
        """
        return self.protection.protect(*rules)

    def read_only(
        self, *, models: Sequence[str] = (), reason: str | None = None
    ) -> Lift:
        """Let nobody write from now on; as a block, until its end.

        Runs that began before go on by the rules that were in force then.

        Args:
            models: To which models; to all, and by raw SQL, if empty.
            reason: Told to whoever is refused.

        Raises:
            PolicyError: A model is not declared.
        """
        return self.protection.read_only(models=models, reason=reason)

    def acting(
        self,
        principal: str | None = None,
        *,
        tenant: str | None = None,
        **context: object,
    ) -> AbstractContextManager[None]:
        """Return a block in which direct calls and runs are made for somebody.

        It holds for the task that enters it, and for those started inside.

        Args:
            principal: Who asks; as around the block if None.
            tenant: For whom; likewise.
            **context: What else rules may go by, as plain values.
        """
        return act(principal, tenant, context)

    def override(
        self,
        rules: Sequence[str],
        *,
        reason: str,
        ticket: str,
        ttl: float | timedelta,
        max_rows: int | None = None,
    ) -> AbstractAsyncContextManager[Override]:
        """Return a block in which calls pass by some rules; each is logged before.

        It holds for the task that enters it, and for those started inside, until its
        end or until its time is up.

        Args:
            rules: Ids of the rules; there is no way to name all of them.
            reason: Why, for the log.
            ticket: Where that is written down, for the log.
            ttl: For how long at most; a number is of seconds.
            max_rows: Rows that may be written by it altogether; None for any.

        Raises:
            PolicyError: A rule is not there, or reason or ticket is empty.
        """
        override = self.protection.override(
            rules, reason=reason, ticket=ticket, ttl_s=seconds(ttl), max_rows=max_rows
        )
        return pass_by(override)

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

        Not needed: both happen with the first use. It shows problems early, and keeps
        the models in the registry, see `register_models`.

        Returns:
            True.

        Raises:
            DriverError: The database could not be reached, or refused.
            ClosedError: The DataFlow is closed.
        """
        self.protection.check()
        models = tuple(self._catalogue.models.values())
        is_ready = await self._hosting.prepare(models)
        if self._registry.is_on and models:
            await self._registry.register()
        return is_ready

    def tree(self) -> Snapshot | None:
        """Return what its actors look like now; None unless it is entered here."""
        engine = self._hosting.engines.current()
        return None if engine is None else engine.tree()

    async def __aenter__(self) -> Self:
        """Start an engine on the running event loop.

        Raises:
            ClosedError: The DataFlow is closed.
            PolicyError: A name in a protection rule means nothing.
            RuntimeError: It is entered on this event loop already.
        """
        self._database.check_open()
        self.protection.check()
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
