"""Privacy: whose personal data rows hold, and how it is exported, erased and aged."""

from __future__ import annotations

from ._archive import archive_of
from ._erase import MODES, Eraser
from ._export import SubjectExport, export_rows
from ._kinds import Nodes
from ._map import SubjectMap, children_first, subject_of
from ._plan import Erasure, ErasureStep
from ._reach import Reach, key_of
from ._redact import note_personal, redact
from ._retention import Keeper, RetentionStep

__all__ = [
    "MODES",
    "Eraser",
    "Erasure",
    "ErasureStep",
    "Keeper",
    "Nodes",
    "Reach",
    "RetentionStep",
    "SubjectExport",
    "SubjectMap",
    "archive_of",
    "children_first",
    "export_rows",
    "key_of",
    "note_personal",
    "redact",
    "subject_of",
]
