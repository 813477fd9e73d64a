"""A policy and the models it is for, made ready to judge messages; never changed.

A change of either makes another snapshot, so whoever holds one is judged by it to the
end, whatever happens meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from hashlib import blake2b
from typing import Any, Final, final

import msgspec

from ...errors import PolicyError
from ...messages import Envelope, Judged, Operation, Request
from ...models import Model
from ...sql import Filter, Terms, names_in
from .._hint import hint
from ..rules import (
    ASKED,
    WRITES,
    Policy,
    Rule,
    actions_of,
    condition,
    is_about_rows,
    read_rules,
)
from ._cascades import (
    CHANGES,
    DELETES,
    Reach,
    changed_fields,
    deletes_for_good,
    passes_keys_on,
    reached_by_delete,
    reached_by_update,
)
from ._case import Applied, Case
from ._decision import Asker, Decision, approval_required, blocked
from ._marked import marked

__all__ = ["Snapshot"]

_UPSERTS: Final = frozenset({"create", "update"})
_NOT_BY_NODE: Final = (Operation.SQL, Operation.BULK_CREATE)
"""What does not tell by its node what it does."""

_DIGEST: Final = 8
"""Bytes that tell policies apart in a log."""


@final
class Snapshot:
    """What is judged by.

    Args:
        policy: The rules for all models.
        models: Those declared so far.
        connection: Of which database, see `Rule.connections`.
        number: How many there were before of the same DataFlow.
        wall: Returns what says what the database may do for a message by itself.

    Attributes:
        policy: As given, with what models say of themselves.
        version: Tells it from others: its number, and a digest of the rules.
        judged: What a message has that no override and no approval let through.
        models: By name.
        rules: Those of the policy that are about this database.

    Raises:
        PolicyError: A rule names a field that its model has not, or says something
            that cannot be done.
    """

    def __init__(
        self,
        policy: Policy,
        models: Mapping[str, Model],
        connection: str,
        number: int,
        wall: Callable[[Snapshot, Envelope], Any] | None = None,
    ) -> None:
        own = [rule for model in models.values() for rule in _rules_of(model)]
        self.policy = policy.with_rules(own)
        self.models = dict(models)
        self.version = f"{number}-{_digest(self.policy)}"
        self._connection = connection
        self._is_closed = policy.default == "deny"
        self.rules = tuple(rule for rule in self.policy.rules if self._is_here(rule))
        self._marked = {model.name: tuple(marked(model)) for model in models.values()}
        self._conditions = self._read_conditions()
        self._is_fine = False
        self._problem: PolicyError | None = None
        self._cases: dict[tuple[str, Operation, bool], Case] = {}
        self._by_node: dict[str, Case] = {}
        self._raw: dict[tuple[str, str], Case] = {}
        self._reached: dict[str, tuple[Reach, ...]] = {}
        self._passing: dict[str, tuple[int, bool]] = {}
        self.limits_reads = self.is_limiting_reads
        self.judged = Judged(
            self.version,
            wall=partial(wall, self) if wall and self._limits_writes else None,
        )
        self.is_empty = not (
            self.rules or self._is_closed or any(map(_has_marks, models.values()))
        )
        """Whether it lets everything pass as it is."""

    def _is_here(self, rule: Rule) -> bool:
        here = self._connection.casefold()
        patterns = rule.connections
        return not patterns or any(
            fnmatchcase(here, each.casefold()) for each in patterns
        )

    # -- what rules name ----------------------------------------------------------

    def check_once(self) -> None:
        """Do what `check` does, the first time; afterwards only say it again.

        Raises:
            PolicyError: A name in a rule means nothing.
        """
        if self._is_fine:
            return
        if self._problem is None:
            try:
                self.check()
            except PolicyError as error:
                self._problem = error
            else:
                self._is_fine = True
                return
        raise self._problem

    def check(self) -> None:
        """Check that every name in the rules means something, now that it starts.

        Raises:
            PolicyError: One does not; the nearest that does is told.
        """
        names = tuple(self.models)
        for rule in self.policy.rules:
            for name in rule.models:
                if name not in self.models:
                    problem = f"there is no model {name!r}: {hint(name, names)}"
                    raise PolicyError(rule.id, problem)
            self._check_fields(rule)

    def _check_fields(self, rule: Rule) -> None:
        models = [self.models[each] for each in rule.models or self.models]
        if not models:
            return
        known = tuple(dict.fromkeys(name for each in models for name in each.names))
        for name in rule.fields:
            if name not in known:
                problem = f"no model it is about has {name!r}: {hint(name, known)}"
                raise PolicyError(rule.id, problem)
        if rule.when is not None and not any(
            (rule, each.name) in self._conditions for each in models
        ):
            condition(rule.id, rule.when, models[0])

    def _read_conditions(self) -> dict[tuple[Rule, str], Filter]:
        """Return the condition of each rule for each model it can be about.

        Raises:
            PolicyError: One cannot be read for a model that its rule names.
        """
        found: dict[tuple[Rule, str], Filter] = {}
        for rule in self.rules:
            for name in rule.models:
                if name in self.models:
                    _check_own_fields(rule, self.models[name])
            if rule.when is None:
                continue
            for model in self.models.values():
                if rule.models and model.name not in rule.models:
                    continue
                try:
                    tree = condition(rule.id, rule.when, model)
                except PolicyError:
                    if rule.models:
                        raise
                    continue  # the rule is about the models that have these fields
                _check_rows(rule, tree)
                found[rule, model.name] = tree
        return found

    # -- cases ----------------------------------------------------------------------

    def case(self, request: Request) -> Case:
        """Return what the rules say of a request for a model's node."""
        operation = request.operation
        upserts = operation is Operation.BULK_CREATE and _is_upsert(request)
        key = request.model, operation, upserts
        case = self._cases.get(key)
        if case is None:
            actions = _UPSERTS if upserts else actions_of(operation)
            case = self._cases[key] = self._make(request.model, operation, actions)
            if operation not in _NOT_BY_NODE:
                self._by_node[request.node] = case
        return case

    def known_case(self, request: Request) -> Case | None:
        """Return what `case` returned for a request of the same node, quickly.

        Returns:
            None if it did not, or if `check` was not passed yet.
        """
        case = self._by_node.get(request.node)
        if (
            case is None
            or not self._is_fine
            or case.operation is not request.operation
            or case.name != request.model
        ):
            return None
        return case

    def raw_case(self, model: str, action: str) -> Case:
        """Return what the rules say of raw SQL that does one thing to a table.

        Args:
            model: Whose table; ``*`` if it is no model's.
            action: One of `ACTIONS`.
        """
        case = self._raw.get((model, action))
        if case is None:
            actions = frozenset({action})
            case = self._raw[model, action] = self._make(model, Operation.SQL, actions)
        return case

    def reached(self, request: Request) -> tuple[Reach, ...]:
        """Return what foreign keys make the database do for a request."""
        operation = request.operation
        if operation in DELETES:
            model = self.models.get(request.model)
            if model is None or not deletes_for_good(request, model):
                return ()
            return self.reached_from(model.name)
        if operation in CHANGES:
            model = self.models.get(request.model)
            if model is None or not self._passes_on(model):
                return ()
            if operation is Operation.BULK_CREATE and not _is_upsert(request):
                return ()
            return reached_by_update(model, changed_fields(request, model))
        return ()

    def reached_from(
        self,
        name: str,
        changed: frozenset[str] | None = None,
        *,
        by_update: bool = False,
    ) -> tuple[Reach, ...]:
        """Return what foreign keys make of a delete of a model's rows, or of a change.

        Args:
            name: Of the model.
            changed: Which fields change, in lower case; None if any may.
            by_update: Whether they change, rather than go.
        """
        if by_update:
            return reached_by_update(self.models[name], changed)
        found = self._reached.get(name)
        if found is None:
            found = self._reached[name] = reached_by_delete(self.models[name])
        return found

    def _passes_on(self, model: Model) -> bool:
        """Whether a change may reach other rows, told quickly: it is asked each time."""
        generation = model.generation
        known = self._passing.get(model.name)
        if known is None or known[0] != generation:
            known = generation, passes_keys_on(model)
            self._passing[model.name] = known
        return known[1]

    @property
    def is_limiting_reads(self) -> bool:
        """Whether some rows, or some fields, of some model are not for everybody."""
        return (
            self._is_closed
            or any(
                each.rule.effect in ("deny", "require_approval")
                for name in self.models
                for each in self.raw_case(name, "read").applied
                if "read" in each.actions
            )
            or any(
                field.marks.mask is not None
                for model in self.models.values()
                for field in model.fields
            )
        )

    @property
    def _limits_writes(self) -> bool:
        """Whether some write to some model, or elsewhere, is not for everybody."""
        return (
            self._is_closed
            or any(self._marked.values())
            or any(
                each.effect in ("deny", "require_approval")
                and any(each.covers("*", action) for action in WRITES)
                for each in self.rules
            )
        )

    def reading(self, asker: Asker, model: Model) -> Terms:
        """Return under what terms related rows of a model may be read.

        Raises:
            BlockedError: They may not.
        """
        name = model.name
        decision = self.raw_case(name, "read").judge(asker, may_pass=True)
        if decision.effect == "deny":
            raise blocked(decision.rules[0], name, Operation.READ.value, "read")
        if decision.effect == "require_approval":
            rule, print_ = decision.rules[0], asker.fingerprint
            raise approval_required(rule, name, Operation.READ.value, print_)
        return decision.terms or Terms()

    def standing(self, model: str, action: str) -> Decision:
        """Return what the rules say of one action whoever asks, and whenever."""
        actions = frozenset({action})
        found = self.models[model]
        seen = actions | {"read"}
        applied = [
            standing
            for each in self._applied(model, found, Operation.SQL, actions, seen)
            if (standing := _standing(each)) is not None
        ]
        case = Case(found, Operation.SQL, actions, applied, is_closed=self._is_closed)
        return case.standing()

    @property
    def marks(self) -> tuple[str, ...]:
        """Ids of the rules that fields bring along."""
        ids = [each.rule.id for some in self._marked.values() for each in some]
        masks = [
            f"mask:{model.name}.{field.name}"
            for model in self.models.values()
            for field in model.fields
            if field.marks.mask is not None
        ]
        return tuple(dict.fromkeys((*ids, *masks)))

    def _make(self, name: str, operation: Operation, actions: frozenset[str]) -> Case:
        model = self.models.get(name)
        seen = actions | {"read", "unmask"}
        return Case(
            model,
            operation,
            actions,
            list(self._applied(name, model, operation, actions, seen)),
            marked=self._marked.get(name, ()),
            is_closed=self._is_closed,
        )

    def _applied(
        self,
        name: str,
        model: Model | None,
        operation: Operation,
        actions: frozenset[str],
        seen: frozenset[str],
    ) -> Iterator[Applied]:
        for rule in self.rules:
            if rule.models and name not in rule.models:
                continue
            if model is not None and rule.fields:
                fields = frozenset(rule.fields).intersection(model.names)
                if not fields:
                    continue
            covered = frozenset(
                each
                for each in seen
                if rule.covers(operation.value, each, is_asked=each in actions)
            )
            if not covered:
                continue
            when = self._conditions.get((rule, name))
            if when is None and rule.when is not None:
                when = _without_rows(rule)
                if when is None:
                    if model is not None or rule.effect == "allow":
                        continue  # it is about fields that this model has not
                    # Where rows cannot be looked at, it counts as if it held.
                    rule = msgspec.structs.replace(rule, when=None)  # noqa: PLW2901
            if covered.isdisjoint(actions) and not _is_about_sight(rule, when):
                continue
            yield Applied(rule, covered, when)


def _standing(applied: Applied) -> Applied | None:
    """Return a rule as it holds for some asker, sometimes; None if for not all.

    What lets pass sometimes has to be possible, and what refuses sometimes as well.
    """
    rule, when = applied.rule, applied.when
    is_asking = when is not None and not names_in(when).isdisjoint(ASKED)
    is_asked_for = rule.effect == "require_approval"  # somebody may approve
    if not (is_asked_for or is_asking or rule.window or rule.measured or rule.is_cap):
        return applied
    if rule.effect == "deny":
        return None
    always = Rule(
        "allow",
        rule.operations,
        rule.models,
        rule.fields,
        id=rule.id,
    )
    return Applied(always, applied.actions, None if is_asking else when)


def _is_upsert(request: Request) -> bool:
    """Whether a bulk create changes rows that are there."""
    resolution = request.parameters.get("conflict_resolution", "error")
    return resolution not in ("error", "skip")


def _is_about_sight(rule: Rule, when: Filter | None) -> bool:
    """Whether a rule about reading limits what writers get to see.

    One that refuses all reading does not: a writer gets back what it wrote.
    """
    is_about_rows_ = when is not None and is_about_rows(when)
    return is_about_rows_ or bool(rule.fields) or "unmask" in rule.operations


def _without_rows(rule: Rule) -> Filter | None:
    """Return a condition that speaks of no rows; None if it does."""
    try:
        return condition(rule.id, rule.when or {}, None)
    except PolicyError:
        return None


def _check_own_fields(rule: Rule, model: Model) -> None:
    if len(rule.models) == 1:
        for name in rule.fields:
            if name not in model.names:
                problem = f"{model.name} has no {name!r}: {hint(name, model.names)}"
                raise PolicyError(rule.id, problem)


def _check_rows(rule: Rule, tree: Filter) -> None:
    if not is_about_rows(tree):
        return
    if rule.is_cap:
        problem = "a limit counts all rows of a write: leave old and new out"
        raise PolicyError(rule.id, problem)
    if "unmask" in rule.operations:
        problem = "who may see masked fields goes by who asks: leave old and new out"
        raise PolicyError(rule.id, problem)


def _has_marks(model: Model) -> bool:
    return any(
        each.marks.mask is not None
        or each.marks.is_immutable
        or each.marks.is_write_once
        or each.marks.is_never_null
        for each in model.fields
    )


_APPEND_ONLY: Final = ("update", "delete", "schema")


def _rules_of(model: Model) -> Iterator[Rule]:
    """Yield the rules in ``__dataflow__ = {"protect": ...}`` of a model."""
    given: Any = model.options.get("protect")
    if given is None or given is False:
        return
    name = model.name
    if given == "append_only":
        yield Rule("deny", _APPEND_ONLY, name, id=f"append-only:{name}")
        return
    if given == "read_only":
        yield Rule("deny", ("write",), name, id=f"read-only:{name}")
        return
    if isinstance(given, str):
        known = ("append_only", "read_only")
        problem = f"there is no protection {given!r}: {hint(given, known)}"
        raise PolicyError(f"{name}.protect", problem)
    rules = given.rules if isinstance(given, Policy) else read_rules(given)
    for rule in rules:
        if rule.models not in ((), (name,)):
            problem = f"a rule of {name} is about {name}: leave out models"
            raise PolicyError(rule.id, problem)
        id_ = rule.id if rule.models else f"{rule.id}:{name}"
        yield msgspec.structs.replace(rule, models=(name,), id=id_)


def _digest(policy: Policy) -> str:
    """Return what tells a policy from others, without its order."""
    rules = sorted(repr(_facts(rule)) for rule in policy.rules)
    text = "\n".join((policy.default, *rules))
    return blake2b(text.encode(), digest_size=_DIGEST // 2).hexdigest()


def _facts(rule: Rule) -> tuple[object, ...]:
    window = rule.window
    parts = [
        getattr(rule, name)
        for name in rule.__struct_fields__
        if name not in ("window", "measured")
    ]
    if window is not None:
        parts += [window.zone, tuple(window.days), window.start, window.end]
        parts += [window.since, window.until, window.is_outside]
    return tuple(parts)
