"""The scheduler: one run of a workflow, inside the task of its caller.

Rules of this file:

1. No task per node and none per run. A node whose connections are all settled is
   sent to its actor; the reply is noted by a callback, which wakes the run.
2. The caller's task receives from no stream: an event loop that cancels it
   natively would lose the item just handed over.
3. Whoever leaves early, by failure, deadline or cancellation, abandons what is in
   flight. An actor skips what it has not begun; what it has begun may take effect.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, final

import anyio

from ...actors import ActorRef, Signal
from ...errors import DataFlowError, DeadlineExceededError, WorkflowError
from ...messages import Envelope
from ...nodes import Host
from ..graph import Step, Workflow
from ._given import Given, check_given, check_values
from ._heading import Heading
from ._joins import Joins
from ._record import RunRecord
from ._run_id import new_run_id

__all__ = ["run"]


async def run(
    host: Host,
    workflow: Workflow,
    parameters: Given | None = None,
    *,
    deadline: float = math.inf,
    run_id: str | None = None,
    principal: str | None = None,
    tenant: str | None = None,
    context: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], str]:
    """Run *workflow* on *host* and return the results by node, and the run's id.

    If it fails, is late or is cancelled, nodes that ran stay done, messages not
    begun are dropped, and those in the hands of an actor may still take effect.

    Args:
        host: What runs the nodes, on this event loop.
        workflow: What to run.
        parameters: By node, what to give it beside and above its constants.
        deadline: Time by which all must be done, in seconds on the clock of
            `anyio.current_time`; infinity means no limit.
        run_id: What logs and errors call the run; by default a new, sortable one.
        principal: Who asks, for whatever protects the nodes.
        tenant: For whom.
        context: What else is known of it, as plain values by name.

    Raises:
        WorkflowError: A node failed; its error is the cause.
        DeadlineExceededError: The deadline passed; names the unfinished nodes.
        ParameterError: *parameters* do not fit; nothing was sent.
        UnknownNodeError: *parameters* are for a node that is not there.
    """
    given = check_given(workflow, parameters)
    checks_itself = len(workflow.steps) == 1 and workflow.roots[0].node.is_self_checking
    if not checks_itself:
        check_values(workflow, given)
    run_id = run_id or new_run_id()
    heading = Heading.of(run_id, deadline, principal, tenant, context)
    record = RunRecord(heading.run_id, workflow)
    try:
        if len(workflow.steps) == 1:
            results = await _run_alone(host, workflow.roots[0], given, heading)
        else:
            results = await _Run(host, workflow, given, heading).serve()
    except DataFlowError as error:
        refusal = _refusal(workflow, given) if checks_itself else None
        record.failed(refusal or error)
        if refusal is None:
            raise
        raise refusal from None
    record.finished()
    return results, heading.run_id


def _refusal(workflow: Workflow, given: Given) -> DataFlowError | None:
    """Return what is wrong with the values given to a workflow of one node.

    It is asked once that has failed: a node alone checks what it is given before
    anything else can happen, so doing it before, too, only cost 10 µs.
    """
    try:
        check_values(workflow, given)
    except DataFlowError as error:
        return error
    return None


async def _run_alone(
    host: Host, step: Step, given: Given, heading: Heading
) -> dict[str, Any]:
    """Do what `_Run` does for a workflow of one node, by a plain ask.

    Nothing is to be scheduled, which saves 4 of 22 µs.
    """
    if heading.deadline != math.inf and _is_late(heading):
        raise _late(heading, [step.id])
    node = step.node
    parameters = {**step.parameters, **given.get(step.id, {})}
    try:
        message = node.message(parameters)
        ref = host.ref_nowait(node) or await host.ref(node)
    except DataFlowError as error:
        return {step.id: _failure(step, heading, error)}
    try:
        result = await ref.ask(
            message,
            deadline=heading.deadline,
            idempotent=node.is_idempotent,
            run_id=heading.run_id,
            principal=heading.principal,
            tenant=heading.tenant,
            scope=heading.scope,
        )
    except Exception as error:
        if isinstance(error, DeadlineExceededError) and _is_late(heading):
            raise _late(heading, [step.id]) from error
        return {step.id: _failure(step, heading, error)}
    return {step.id: result}


def _failure(step: Step, heading: Heading, error: BaseException) -> dict[str, Any]:
    """Return the result of a node that failed.

    Raises:
        WorkflowError: Its failure fails the run.
    """
    if not step.is_fatal:
        return {"success": False, "error": error}
    reason = str(error) if isinstance(error, DataFlowError) else repr(error)
    raise WorkflowError(step.id, heading.run_id, reason) from error


def _is_late(heading: Heading) -> bool:
    return heading.deadline <= anyio.current_time()


def _late(heading: Heading, unfinished: Iterable[str]) -> DeadlineExceededError:
    names = ", ".join(map(repr, unfinished))
    return DeadlineExceededError(f"{names} (run {heading.run_id})")


@final
class _Run:
    """What a run has done and what it waits for."""

    __slots__ = (
        "_given",
        "_heading",
        "_host",
        "_in_flight",
        "_joins",
        "_replies",
        "_results",
        "_wake",
        "_workflow",
    )

    def __init__(
        self, host: Host, workflow: Workflow, given: Given, heading: Heading
    ) -> None:
        self._results: dict[str, Any] = {}
        self._host = host
        self._workflow = workflow
        self._given = given
        self._heading = heading
        self._joins = Joins(workflow)
        self._in_flight: dict[Envelope, tuple[Step, ActorRef]] = {}
        self._replies: deque[Envelope] = deque()
        self._wake: Signal | None = None

    async def serve(self) -> dict[str, Any]:
        """Run all of it, within the deadline, and return the results by node."""
        heading = self._heading
        if heading.deadline == math.inf:
            await self._serve()
        elif _is_late(heading):
            raise self._late()
        else:
            with anyio.CancelScope(deadline=heading.deadline) as scope:
                await self._serve()
            if scope.cancelled_caught:
                raise self._late()
        return self._results_in_order()

    async def _serve(self) -> None:
        """Send what is ready and take in replies until nothing is left."""
        ready = self._joins.ready
        try:
            while True:
                while ready:
                    await self._advance(ready.popleft())
                if not self._in_flight:
                    break
                if not self._replies:
                    self._wake = self._any_ref().new_signal()
                    await self._wake.wait()
                    self._wake = None
                self._take_replies()
        finally:
            for envelope, (_, ref) in self._in_flight.items():
                ref.abandon(envelope)

    def _any_ref(self) -> ActorRef:
        return next(iter(self._in_flight.values()))[1]

    def _results_in_order(self) -> dict[str, Any]:
        """Return what the nodes replied, each after all that it waited for."""
        done = self._results
        return {name: done[name] for name in self._workflow.steps if name in done}

    # -- sending ---------------------------------------------------------------

    async def _advance(self, step: Step) -> None:
        """Send *step* or settle it, now that all connections to it are settled."""
        joins = self._joins
        if step.id in joins.failures:
            self._fail(step, joins.failures[step.id])
            return
        arrived = joins.take(step)
        if arrived is None:
            joins.skip(step)
            return
        try:
            envelope = self._envelope(step, arrived)
            ref = self._host.ref_nowait(step.node)
            if ref is None:
                ref = await self._host.ref(step.node)
            try:
                ref.send_nowait(envelope)
            except anyio.WouldBlock:
                await self._send(step, envelope, ref)
            self._in_flight[envelope] = (step, ref)
        except DataFlowError as error:
            self._fail(step, error)

    async def _send(self, step: Step, envelope: Envelope, ref: ActorRef) -> None:
        """Send when the actor has a place."""
        # If cancelled it may be delivered all the same, so it is in flight already.
        self._in_flight[envelope] = (step, ref)
        try:
            await ref.send(envelope)
        except DataFlowError:
            del self._in_flight[envelope]
            raise

    def _envelope(self, step: Step, arrived: dict[str, Any]) -> Envelope:
        parameters = {**step.parameters, **self._given.get(step.id, {}), **arrived}
        heading = self._heading
        return Envelope(
            message=step.node.message(parameters),
            is_idempotent=step.node.is_idempotent,
            run_id=heading.run_id,
            deadline=heading.deadline,
            principal=heading.principal,
            tenant=heading.tenant,
            scope=heading.scope,
            chain=heading.chain,
            on_done=self._note,
        )

    # -- replies ---------------------------------------------------------------

    def _note(self, envelope: Envelope) -> None:
        """Keep a reply; runs in the actor's task."""
        self._replies.append(envelope)
        if self._wake is not None:
            self._wake.set()

    def _take_replies(self) -> None:
        while self._replies:
            envelope = self._replies.popleft()
            step, _ = self._in_flight.pop(envelope)
            if envelope.error is None:
                self._succeed(step, envelope.result)
            else:
                self._fail(step, envelope.error)

    def _succeed(self, step: Step, result: object) -> None:
        self._results[step.id] = result
        self._joins.carry(step, result)

    def _fail(self, step: Step, error: BaseException) -> None:
        if isinstance(error, DeadlineExceededError) and _is_late(self._heading):
            raise self._late() from error
        self._results[step.id] = _failure(step, self._heading, error)
        self._joins.drop(step)

    def _late(self) -> DeadlineExceededError:
        settled = self._results.keys() | self._joins.skipped
        steps = self._workflow.steps
        return _late(self._heading, (name for name in steps if name not in settled))
