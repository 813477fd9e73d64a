"""What is wrong with the audit."""

from __future__ import annotations

from collections.abc import Mapping

from ._base import DataFlowError

__all__ = [
    "AuditBrokenError",
    "AuditError",
    "SigningKeyError",
    "SubjectKeyError",
    "TenantAuditError",
]


class AuditError(DataFlowError):
    """What the audit of a model needs is not there.

    Nothing was changed.

    Attributes:
        model: Name of the model.
    """

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model

    def __str__(self) -> str:
        return (
            f"what the audit of {self.model} needs is not there: declare the model with "
            "'audit': 'changes' or 'full' for its history, and let it be used once with "
            "auto_migrate=True, by a role that may create tables and triggers"
        )


class AuditBrokenError(DataFlowError):
    """The audit is not as it was written.

    Attributes:
        lane: Name of the model whose chain is broken.
        seq: Which leaf of it is the first that is wrong, from 1; 0 if none is.
        problem: What is wrong with it.
    """

    def __init__(self, lane: str, seq: int, problem: str) -> None:
        super().__init__(lane, seq, problem)
        self.lane = lane
        self.seq = seq
        self.problem = problem

    def __str__(self) -> str:
        place = f"leaf {self.seq} of {self.lane}" if self.seq else self.lane
        return f"the audit is broken: {place} {self.problem}"


class SubjectKeyError(DataFlowError):
    """The key of a person cannot be opened, so nothing of it can be sealed.

    Nothing was changed.

    Attributes:
        master: Name of the key of the application that wraps it; it tells nothing of
            that key.
        problem: What is wrong.
    """

    def __init__(self, master: str, problem: str) -> None:
        super().__init__(master, problem)
        self.master = master
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"a person's key was wrapped by the key {self.master}, which {self.problem}"
            ": give all keys that were used once as privacy_keys, the current one first"
        )


class SigningKeyError(DataFlowError, ValueError):
    """What was given as a key for checkpoints is none.

    Attributes:
        kind: ``private`` or ``public``.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind

    def __str__(self) -> str:
        return (
            f"the {self.kind} key is no {self.kind} key of Ed25519 in PEM without a "
            "password: make a pair with `dataflow audit keygen`"
        )


class TenantAuditError(DataFlowError):
    """What was to be done with the audits of all tenants failed for some of them.

    Attributes:
        act: What was to be done.
        problems: By tenant, what went wrong.
        done: The tenants for which it is done, in order.
        left: The tenants that were not looked at any more.
        shared: What went wrong with the audit of the database itself; None if nothing.
    """

    def __init__(
        self,
        act: str,
        problems: Mapping[str, str],
        done: tuple[str, ...],
        left: tuple[str, ...],
        shared: str | None = None,
    ) -> None:
        super().__init__(act, problems, done, left, shared)
        self.act = act
        self.problems = dict(problems)
        self.done = done
        self.left = left
        self.shared = shared

    def __str__(self) -> str:
        failed = [f"{name}: {error}" for name, error in self.problems.items()]
        if self.shared is not None:
            failed.insert(0, f"the database itself: {self.shared}")
        left = f", {len(self.left)} not tried" if self.left else ""
        return (
            f"{self.act} failed for {len(failed)} audits ({len(self.done)} tenants are "
            f"done{left}): {'; '.join(failed)}; mend that, and do it again for those "
            "that are named here or left"
        )
