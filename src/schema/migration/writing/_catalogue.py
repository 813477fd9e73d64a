"""The catalogue of risks: what each operation takes, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..planning._facts import LARGE
from ._operation import Operation
from .postgresql import POSTGRESQL_RISKS
from .sqlite import SQLITE_RISKS

__all__ = ["CATALOGUES", "as_markdown"]

CATALOGUES: Final[Mapping[str, Mapping[str, Operation]]] = {
    "postgresql": POSTGRESQL_RISKS,
    "sqlite": SQLITE_RISKS,
}


def as_markdown(dialect: str) -> str:
    """Return the catalogue of a database as a table in Markdown."""
    lines = [
        "| operation | risk | lock | rewrites | why | safer |",
        "|---|---|---|---|---|---|",
    ]
    for operation in CATALOGUES[dialect].values():
        risk = operation.risk.name
        if operation.is_growing:
            risk += f", {operation.risk.raised().name} from {LARGE:,} rows"
        lines.append(
            f"| {operation.title} | {risk} | {operation.lock or 'none'} | "
            f"{'yes' if operation.is_rewrite else 'no'} | {operation.reason} | "
            f"{operation.alternative or 'none'} |"
        )
    return "\n".join(lines)
