"""Planning: what differs between a database and its models."""

from __future__ import annotations

from ._change import (
    AddColumn,
    AddForeignKey,
    AddIndex,
    AddKey,
    AddUnique,
    Change,
    ChangeType,
    CreateTable,
    DropColumn,
    DropForeignKey,
    DropIndex,
    DropKey,
    DropNotNull,
    DropTable,
    DropUnique,
    Fill,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    RenameTable,
    SetIdentity,
    SetNotNull,
)
from ._diff import Difference, diff
from ._evolve import evolved
from ._facts import LARGE, Counter, Facts, TableFacts
from ._names import default_names, names_in
from ._quarantine import PREFIX, fitting_name, is_quarantined
from ._target import Target, target_of

__all__ = [
    "LARGE",
    "PREFIX",
    "AddColumn",
    "AddForeignKey",
    "AddIndex",
    "AddKey",
    "AddUnique",
    "Change",
    "ChangeType",
    "Counter",
    "CreateTable",
    "Difference",
    "DropColumn",
    "DropForeignKey",
    "DropIndex",
    "DropKey",
    "DropNotNull",
    "DropTable",
    "DropUnique",
    "Facts",
    "Fill",
    "RenameColumn",
    "RenameConstraint",
    "RenameIndex",
    "RenameTable",
    "SetIdentity",
    "SetNotNull",
    "TableFacts",
    "Target",
    "default_names",
    "diff",
    "evolved",
    "fitting_name",
    "is_quarantined",
    "names_in",
    "target_of",
]
