"""Everything that is held of a person, with a manifest of what that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from math import isfinite
from typing import Any, Final, cast

import msgspec

from ..models import Model
from ._map import SubjectMap
from ._reach import Reach, Row

__all__ = ["SubjectExport", "export_rows"]

_FORMAT: Final = 1


class SubjectExport(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of one person.

    Attributes:
        manifest: What is in it: of each model its rows, how they belong to the person,
            which fields are personal, and a SHA-256 of its lines in `jsonl`.
        records: The rows by model, deleted and archived ones too.
    """

    manifest: dict[str, Any]
    records: dict[str, list[dict[str, Any]]]

    def __repr__(self) -> str:
        return f"<SubjectExport of {sum(map(len, self.records.values()))} rows>"

    def json(self) -> bytes:
        """Return it as one JSON document."""
        records = {
            name: [msgspec.Raw(_line(row)) for row in rows]
            for name, rows in self.records.items()
        }
        return msgspec.json.encode({"manifest": self.manifest, "records": records})

    def jsonl(self) -> Iterator[bytes]:
        """Yield it as lines of JSON: the manifest, then a line for each row."""
        yield msgspec.json.encode({"manifest": self.manifest}) + b"\n"
        for name, rows in self.records.items():
            for row in rows:
                told = {"model": name, "row": msgspec.Raw(_line(row))}
                yield msgspec.json.encode(told) + b"\n"


async def export_rows(
    reach: Reach, map_: SubjectMap, key: Mapping[str, Any]
) -> SubjectExport:
    """Collect what belongs to the person with a key, as of one moment.

    Raises:
        SubjectNotFoundError: There is none.
        PartialViewError: The sender may not see all of it.
    """
    found = await reach.rows_of(map_, key, is_whole=True)
    records = {name: [*rows] for name, rows in found.items() if rows}
    models = [
        _described(map_, model, records[model.name])
        for model in map_.models
        if model.name in records
    ]
    manifest: dict[str, Any] = {
        "format": _FORMAT,
        "subject": {"model": map_.subject.name, "key": _plain(dict(key))},
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "models": models,
        "rows": sum(map(len, records.values())),
    }
    return SubjectExport(manifest=manifest, records=records)


def _described(map_: SubjectMap, model: Model, rows: list[Row]) -> dict[str, Any]:
    digest = sha256(b"\n".join(map(_line, rows)))
    return {
        "model": model.name,
        "table": model.table,
        "rows": len(rows),
        "fields": [*model.names],
        "personal": {each.name: each.marks.pii for each in model.personal},
        "belongs_by": [
            {"to": link.target.name, "fields": dict(link.pairs)}
            for link in map_.links[model.name]
        ],
        "sha256": digest.hexdigest(),
    }


def _line(row: Row) -> bytes:
    return msgspec.json.encode(_plain(row))


def _plain(value: Any) -> Any:  # noqa: ANN401  # whatever a row holds
    """Return *value* as JSON has it; numbers that JSON would round are text."""
    if isinstance(value, Mapping):
        named = cast("Mapping[object, Any]", value)
        return {str(name): _plain(each) for name, each in named.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("list[Any]", value)]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return msgspec.to_builtins(value)  # bytes as Base64, decimals as text
