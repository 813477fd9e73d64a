"""Databases of others, from a folder: they become models, and these hold their rows.

``DATAFLOW_TEST_DATABASES`` names a folder of SQLite files. Each is discovered, written
as a module of models, compared with these, and copied by them into a new database.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.models import Model
from dataflow.schema import model_source

VARIABLE = "DATAFLOW_TEST_DATABASES"
ENDINGS = {".db", ".sqlite", ".sqlite3"}

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])


def databases() -> list[Any]:
    """Return the files to try; one that is skipped if there is none."""
    folder = os.environ.get(VARIABLE)
    if folder is None:
        reason = f"set {VARIABLE} to a folder of SQLite files"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    found = sorted(each for each in Path(folder).iterdir() if each.suffix in ENDINGS)
    assert found, f"{VARIABLE} names {folder}, and no SQLite file is there"
    return [pytest.param(each, id=each.stem) for each in found]


@pytest.fixture(params=databases())
def original(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a copy of each database."""
    copy = tmp_path / "original.db"
    shutil.copyfile(request.param, copy)
    return f"sqlite:///{copy}"


def imported(source: str, folder: Path) -> ModuleType:
    """Import a module of models."""
    path = folder / "models_of_others.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


async def module_of(url: str, folder: Path) -> ModuleType:
    """Discover a database, and import what is written of it."""
    async with DataFlow(url, existing_schema_mode=True) as db:
        result = await db.register_schema_as_models_async()
        assert result["errors"] == []
        source = model_source(await db.inspect_schema_async())
    module = imported(source, folder)
    assert module.MODELS
    return module


async def rows(db: DataFlow, model: Model) -> list[dict[str, Any]]:
    order = [{name: 1} for name in model.key]
    page = await db[model.name].list(order_by=order, limit=None)
    found: list[dict[str, Any]] = page["records"]
    return found


def parents_first(models: list[Model]) -> list[Model]:
    """Return models behind those they refer to; circles as they come."""
    ordered: dict[Model, None] = {}

    def visit(model: Model, seen: frozenset[Model]) -> None:
        for relation in model.own_relations:
            if relation.target not in {*ordered, *seen, model}:
                visit(relation.target, seen | {model})
        ordered[model] = None

    for model in models:
        visit(model, frozenset())
    return [*ordered]


async def test_a_database_of_others_is_as_its_models_ask(
    original: str, tmp_path: Path
) -> None:
    module = await module_of(original, tmp_path)
    async with DataFlow(original) as db:
        module.register(db)
        plan = await db.migrations.plan()
        for cls in module.MODELS:
            for name in db[cls].model.relations:
                await db[cls].list(include=[name], limit=3)

    assert plan.problems == ()
    assert [step.description for step in plan.steps] == []


async def test_a_database_of_others_is_copied_through_nodes(
    original: str, database_url: str, tmp_path: Path
) -> None:
    module = await module_of(original, tmp_path)
    async with DataFlow(original, existing_schema_mode=True) as old:
        module.register(old)
        async with DataFlow(database_url) as new:
            module.register(new)
            models = parents_first([new[cls].model for cls in module.MODELS])
            for model in models:
                wanted = await rows(old, old[model.name].model)
                if wanted:
                    await new[model.name].bulk_create(wanted)
                assert await rows(new, model) == wanted
            possible, plans = await new.auto_migrate(dry_run=True)

    assert (possible, plans) == (True, [])
