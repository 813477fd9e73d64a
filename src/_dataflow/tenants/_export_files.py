"""The files of an export: a folder with a manifest, and a file of lines for each model.

Rules of this file:

1. A folder is written under another name and gets its own when it is whole; so what has
   the name of an export is one.
2. Nothing is believed before the checksums of all files are right.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import IO, Any, Final, final

import anyio
import msgspec
from anyio import to_thread

from ...errors import ExportError
from ...models import Model
from ._portable import line_of, ported_fields, shape, signature

__all__ = ["Exported", "ExportedModel", "Reader", "Writer"]

FORMAT: Final = "dataflow tenant"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"

_LINES: Final = 1000
"""Lines that are in memory at once."""


class ExportedModel(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one model in an export.

    Attributes:
        model: Its name.
        file: The file with its rows, a line of JSON each.
        rows: How many there are.
        sha256: Of the file.
        fields: What a row holds.
        signature: What tells the fields from others.
    """

    model: str
    file: str
    rows: int
    sha256: str
    fields: list[dict[str, Any]]
    signature: str


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """An export; what its manifest says.

    Attributes:
        format: What it is, always the same.
        version: Of the format.
        tenant: Whose rows they are.
        tenancy: What kept tenants apart where it was made.
        made_at: When, in UTC.
        models: What is in it, those first that refer to nothing else in it.
    """

    format: str = FORMAT
    version: int = VERSION
    tenant: str
    tenancy: str
    made_at: str
    models: list[ExportedModel]

    @property
    def rows(self) -> dict[str, int]:
        """How many rows there are, by model."""
        return {each.model: each.rows for each in self.models}


@final
class Writer:
    """Writes an export.

    Args:
        path: What its folder is called, once it is whole.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = anyio.Path(path)
        self._partial = self._path.with_name(f"{self._path.name}.partial")

    async def begin(self) -> None:
        """Make the folder; what an export that was stopped has left is cleared away.

        Raises:
            ExportError: Something is there already.
        """
        try:
            if await self._path.exists():
                problem = "it is there already: choose another path, or delete it"
                raise ExportError(str(self._path), problem)
            await self._partial.mkdir(parents=True, exist_ok=True)
            async for each in self._partial.iterdir():
                await each.unlink()
        except OSError as error:
            raise ExportError(str(self._path), _cannot(error)) from error

    async def write(
        self, model: Model, pages: AsyncIterator[list[dict[str, Any]]]
    ) -> ExportedModel:
        """Write the rows of a model, page by page.

        Raises:
            ExportError: The file cannot be written.
        """
        fields, digest, rows = ported_fields(model), sha256(), 0
        name = f"{model.name}.jsonl"
        try:
            async with await anyio.open_file(self._partial / name, "wb") as file:
                async for page in pages:
                    lines = b"".join(line_of(fields, row) for row in page)
                    digest.update(lines)
                    rows += len(page)
                    await file.write(lines)
        except OSError as error:
            raise ExportError(str(self._path), _cannot(error)) from error
        described = shape(model)
        return ExportedModel(
            model=model.name,
            file=name,
            rows=rows,
            sha256=digest.hexdigest(),
            fields=described,
            signature=signature(described),
        )

    async def finish(self, manifest: Exported) -> None:
        """Write the manifest, and give the folder its name.

        Raises:
            ExportError: That cannot be done.
        """
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        try:
            await (self._partial / MANIFEST).write_bytes(text)
            await self._partial.rename(self._path)
        except OSError as error:
            raise ExportError(str(self._path), _cannot(error)) from error


@final
class Reader:
    """Reads an export.

    Args:
        path: Its folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = anyio.Path(path)

    def error(self, problem: str) -> ExportError:
        """Return what says that something is wrong with it."""
        return ExportError(str(self._path), problem)

    async def manifest(self) -> Exported:
        """Return what its manifest says.

        Raises:
            ExportError: There is none, or it is of another format.
        """
        try:
            text = await (self._path / MANIFEST).read_bytes()
            found = msgspec.json.decode(text, type=Exported)
        except OSError as error:
            raise self.error(_cannot(error)) from error
        except msgspec.MsgspecError as error:
            problem = f"its manifest is none: {error}"
            raise self.error(problem) from error
        if found.format != FORMAT or found.version != VERSION:
            problem = f"it is no {FORMAT!r} of version {VERSION}"
            raise self.error(problem)
        for each in found.models:
            if each.file != f"{each.model}.jsonl" or "/" in each.file:
                problem = f"its manifest names no file of it: {each.file!r}"
                raise self.error(problem)
        return found

    async def check(self, manifest: Exported) -> None:
        """Compare the checksums of all files.

        Raises:
            ExportError: A file is not what it was.
        """
        for each in manifest.models:
            digest, rows = sha256(), 0
            async with aclosing(self.lines(each)) as some:
                async for lines in some:
                    digest.update(b"".join(lines))
                    rows += len(lines)
            if (digest.hexdigest(), rows) != (each.sha256, each.rows):
                problem = f"{each.file} is not what its manifest says: export it again"
                raise self.error(problem)

    async def lines(self, model: ExportedModel) -> AsyncGenerator[list[bytes]]:
        """Yield the lines of a model, some at a time.

        Raises:
            ExportError: The file cannot be read.
        """
        try:
            async with await anyio.open_file(self._path / model.file, "rb") as file:
                some = partial(_some_lines, file.wrapped)
                while lines := await to_thread.run_sync(some):
                    yield lines
        except OSError as error:
            raise self.error(_cannot(error)) from error


def _cannot(error: OSError) -> str:
    return f"the file system refused ({error.strerror or error})"


def _some_lines(file: IO[bytes]) -> list[bytes]:
    """Return the next lines, none at the end; one hop to a thread for all of them."""
    return list(islice(file, _LINES))
