"""Exporting a tenant: all its rows as of one moment, if its rules let them be read.

It is the tenant's own data, so fields that are masked for single readers are whole.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from ...errors import PartialViewError
from ...models import Model
from ...nodes import Lease
from ...privacy import Nodes
from ...sql import ALL
from ._export_files import Exported, ExportedModel, Writer

__all__ = ["OnRows", "write_export"]

OnRows = Callable[[str, int], object]
"""Told the name of a model, and how many of its rows are done."""

_PAGE = 1000


async def write_export(
    lease: Lease,
    nodes: Nodes,
    models: Sequence[Model],
    path: str | os.PathLike[str],
    *,
    tenant: str,
    tenancy: str,
    on_rows: OnRows | None,
) -> Exported:
    """Write the rows of one tenant; some are in memory at a time.

    Raises:
        ExportError: It cannot be written there.
        PartialViewError: The sender may not see all of it.
        BlockedError: A rule of the protection refuses it.
    """
    writer = Writer(path)
    await writer.begin()
    for model in models:
        await _check_sight(lease, nodes, model)
    written: list[ExportedModel] = []
    for model in models:
        async with aclosing(_pages(lease, model, on_rows)) as pages:
            written.append(await writer.write(model, pages))
    manifest = Exported(
        tenant=tenant,
        tenancy=tenancy,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        models=written,
    )
    await writer.finish(manifest)
    return manifest


async def _check_sight(lease: Lease, nodes: Nodes, model: Model) -> None:
    """See that the rules let the sender read all rows; masks are for single readers.

    Raises:
        PartialViewError: Some rows are hidden from it.
        BlockedError: It may read none.
    """
    await lease.ask(nodes.list(model), limit=1)
    if lease.terms is not None and lease.terms.visible is not ALL:
        raise PartialViewError(model.name, ())


async def _pages(
    lease: Lease, model: Model, on_rows: OnRows | None
) -> AsyncGenerator[list[dict[str, Any]]]:
    n_done = 0
    async with aclosing(lease.rows(model, _PAGE)) as pages:
        async for page in pages:
            yield page
            n_done += len(page)
            if on_rows is not None:
                on_rows(model.name, n_done)
