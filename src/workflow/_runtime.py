"""The two ways to run a workflow without thinking about hosts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self, final

import anyio

from ..errors import ClosedError
from ..nodes import Host
from ._background import call_background, call_background_sync
from ._current import current_host
from .graph import Workflow
from .running import Given, run

__all__ = ["AsyncLocalRuntime", "LocalRuntime"]


@final
class LocalRuntime:
    """Runs workflows from synchronous code, on the background host.

    Cheap to make: all of them share one thread, its actors and its connections.
    May be used from several threads at once, and where an event loop is running,
    as in Jupyter; that loop stands still until the run is over.
    """

    def __init__(self) -> None:
        self._is_open = True

    def execute(
        self,
        workflow: Workflow,
        parameters: Given | None = None,
        *,
        timeout_s: float | None = None,
        run_id: str | None = None,
        principal: str | None = None,
        tenant: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], str]:
        """Run *workflow* and return the results by node, and the run's id.

        If interrupted, by Ctrl-C say, the run is cancelled and not waited for:
        what its nodes have begun may still take effect.

        Args:
            workflow: What to run, built.
            parameters: By node, what to give it beside and above its constants.
            timeout_s: How long it may take, in seconds; None means no limit.
            run_id: What logs and errors call the run; by default a new one.
            principal: Who asks, for whatever protects the nodes.
            tenant: For whom.
            context: What else is known of it, as plain values by name.

        Raises:
            WorkflowError: A node failed; its error is the cause.
            DeadlineExceededError: It took too long; names the unfinished nodes.
            ParameterError: *parameters* do not fit; nothing was sent.
            UnknownNodeError: *parameters* are for a node that is not there.
            ClosedError: This runtime, or the background host, was closed.
        """
        if not self._is_open:
            raise ClosedError(type(self).__name__)
        call = partial(
            _run,
            workflow=_built(workflow),
            parameters=parameters,
            timeout_s=timeout_s,
            run_id=run_id,
            principal=principal,
            tenant=tenant,
            context=context,
        )
        return call_background_sync(call)

    def close(self) -> None:
        """Refuse further runs; those that are under way go on. Idempotent."""
        self._is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@final
class AsyncLocalRuntime:
    """Runs workflows from asynchronous code, on any event loop.

    On the host that was entered on the running event loop; where there is none,
    on the background host.
    """

    async def execute_workflow_async(
        self,
        workflow: Workflow,
        parameters: Given | None = None,
        *,
        timeout_s: float | None = None,
        run_id: str | None = None,
        principal: str | None = None,
        tenant: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], str]:
        """Run *workflow* and return the results by node, and the run's id.

        If cancelled, the run is cancelled: what its nodes have begun may still
        take effect. Arguments and errors are those of `LocalRuntime.execute`.
        """
        call = partial(
            _run,
            workflow=_built(workflow),
            parameters=parameters,
            timeout_s=timeout_s,
            run_id=run_id,
            principal=principal,
            tenant=tenant,
            context=context,
        )
        host = current_host()
        return await (call_background(call) if host is None else call(host))

    execute = execute_workflow_async


async def _run(
    host: Host,
    *,
    workflow: Workflow,
    parameters: Given | None,
    timeout_s: float | None,
    run_id: str | None,
    principal: str | None,
    tenant: str | None,
    context: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], str]:
    deadline = math.inf if timeout_s is None else anyio.current_time() + timeout_s
    return await run(
        host,
        workflow,
        parameters,
        deadline=deadline,
        run_id=run_id,
        principal=principal,
        tenant=tenant,
        context=context,
    )


def _built(workflow: object) -> Workflow:
    """Return *workflow* if it is one; a builder is the usual mistake."""
    if isinstance(workflow, Workflow):
        return workflow
    msg = f"a runtime runs a built workflow, not {type(workflow).__name__}: use build()"
    raise TypeError(msg)
