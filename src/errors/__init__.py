"""Every error of the package: one class per decision a caller can take.

Rules of this room: facts travel in ``args``, so errors pickle and log cleanly;
the sentence (what happened: what to do) is made in ``__str__``; no class holds
a password, and none holds a value that a caller sent, only its type.
"""

from __future__ import annotations

from ._actors import (
    ActorError,
    ActorRestartedError,
    DeadlineExceededError,
    DeadlockError,
    MailboxClosedError,
    MailboxFullError,
    MessageDroppedError,
    PoisonMessageError,
    RestartLimitError,
)
from ._audit import AuditBrokenError, AuditError
from ._base import DataFlowError, nearest
from ._databases import (
    AuthenticationError,
    ConnectionLostError,
    ConstraintError,
    DatabaseUnreachableError,
    DriverError,
    DuplicateKeyError,
    ForeignKeyError,
    OutOfRangeError,
    QueryError,
    TransactionConflictError,
    UrlError,
)
from ._life_cycle import ClosedError, MemoryDatabaseError, MissingExtraError
from ._migrations import (
    BackupError,
    HistoryEditedError,
    MigrationBlockedError,
    MigrationChangedError,
    MigrationCheckError,
    MigrationConfirmationError,
    MigrationFailedError,
    MigrationRiskError,
    NothingToRollBackError,
    RiskLevelError,
    SchemaProtectedError,
)
from ._models import (
    ModelError,
    RegistryOffError,
    UnavailableNodeError,
    UnknownModelError,
    UnknownTableError,
)
from ._parameters import (
    ConfirmationRequiredError,
    FieldValueError,
    FilterError,
    MissingFieldError,
    ParameterError,
    UnknownFieldError,
)
from ._protection import (
    ApprovalRequiredError,
    BlockedError,
    PolicyError,
    ReadBlockedError,
    RowLimitError,
    UnguardedStatementError,
    WriteBlockedError,
)
from ._rows import (
    AmbiguousFilterError,
    PartlyStoredError,
    RecordNotFoundError,
    RelationNotLoadedError,
    StoredValueError,
    TooManyFailuresError,
    VersionConflictError,
)
from ._streams import StreamIdleError
from ._tenancy import (
    TenancyError,
    TenantLimitError,
    TenantMismatchError,
    TenantRequiredError,
    TenantScopeError,
)
from ._workflows import (
    CycleError,
    EdgeError,
    UnknownNodeError,
    WorkflowBuildError,
    WorkflowError,
)

__all__ = [
    "ActorError",
    "ActorRestartedError",
    "AmbiguousFilterError",
    "ApprovalRequiredError",
    "AuditBrokenError",
    "AuditError",
    "AuthenticationError",
    "BackupError",
    "BlockedError",
    "ClosedError",
    "ConfirmationRequiredError",
    "ConnectionLostError",
    "ConstraintError",
    "CycleError",
    "DataFlowError",
    "DatabaseUnreachableError",
    "DeadlineExceededError",
    "DeadlockError",
    "DriverError",
    "DuplicateKeyError",
    "EdgeError",
    "FieldValueError",
    "FilterError",
    "ForeignKeyError",
    "HistoryEditedError",
    "MailboxClosedError",
    "MailboxFullError",
    "MemoryDatabaseError",
    "MessageDroppedError",
    "MigrationBlockedError",
    "MigrationChangedError",
    "MigrationCheckError",
    "MigrationConfirmationError",
    "MigrationFailedError",
    "MigrationRiskError",
    "MissingExtraError",
    "MissingFieldError",
    "ModelError",
    "NothingToRollBackError",
    "OutOfRangeError",
    "ParameterError",
    "PartlyStoredError",
    "PoisonMessageError",
    "PolicyError",
    "QueryError",
    "ReadBlockedError",
    "RecordNotFoundError",
    "RegistryOffError",
    "RelationNotLoadedError",
    "RestartLimitError",
    "RiskLevelError",
    "RowLimitError",
    "SchemaProtectedError",
    "StoredValueError",
    "StreamIdleError",
    "TenancyError",
    "TenantLimitError",
    "TenantMismatchError",
    "TenantRequiredError",
    "TenantScopeError",
    "TooManyFailuresError",
    "TransactionConflictError",
    "UnavailableNodeError",
    "UnguardedStatementError",
    "UnknownFieldError",
    "UnknownModelError",
    "UnknownNodeError",
    "UnknownTableError",
    "UrlError",
    "VersionConflictError",
    "WorkflowBuildError",
    "WorkflowError",
    "WriteBlockedError",
    "nearest",
]
