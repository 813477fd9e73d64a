"""Models that one process declares and another rebuilds."""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID, uuid4

import anyio
import msgspec
import pytest
from anyio import to_process

from dataflow import PII, DataFlow, field
from dataflow.drivers import Driver
from dataflow.errors import MissingFieldError, ModelError, RegistryOffError
from dataflow.models import Digits, Family, NaiveDatetime, declare
from dataflow.schema import checksum, define, entries, rebuild, shape_of
from dataflow.sql import POSTGRESQL, SQLITE


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Address(msgspec.Struct):
    street: str


def made_here() -> str:
    return "made"


class Everything:
    __tablename__ = "all_of_it"
    __dataflow__: ClassVar[dict[str, Any]] = {
        "timestamps": True,
        "unique": [["name", "size"]],
        "indexes": [{"fields": ["name"], "name": "by name"}, ["size", "flag"]],
    }
    name: str = "it's"
    size: int = 5
    ratio: float | None = None
    amount: Annotated[Decimal, Digits(10, 2)] = Decimal("1.50")
    any_amount: Decimal | None
    flag: bool = True
    raw: bytes = b"\0a"
    day: date = date(2024, 2, 29)
    at: time = time(12, 30)
    moment: datetime = datetime(2024, 2, 29, tzinfo=UTC)
    local: NaiveDatetime = datetime(2024, 2, 29, 1)  # noqa: DTZ001
    took: timedelta = timedelta(seconds=5)
    token: UUID = field(default_factory=uuid4, unique=True)
    color: Color = Color.RED
    letter: Literal["a", "b"] | None = "a"
    tags: list[str] = field(default_factory=list)
    colors: list[Color] = [Color.BLUE]  # noqa: RUF012  # a default
    meta: dict[str, Any] = {"a": [1, None]}  # noqa: RUF012  # likewise
    home: Address | None = None
    code: str = field(default_factory=made_here)


def body_of(cls: type) -> dict[str, Any]:
    hidden = {"__dict__", "__weakref__"}
    return {name: value for name, value in vars(cls).items() if name not in hidden}


def fresh() -> type:
    return type("Everything", (), body_of(Everything))


def test_a_definition_makes_a_model_of_the_same_definition() -> None:
    model = declare(fresh())
    definition = define(model)
    again = msgspec.json.decode(msgspec.json.encode(definition))
    rebuilt = rebuild(again)

    del definition["fields"][-3]["factory"]  # only its own process can make it
    assert define(rebuilt) == definition
    for dialect in (POSTGRESQL, SQLITE):
        assert shape_of([rebuilt], dialect) == shape_of([model], dialect)


def test_a_rebuilt_model_is_protected_as_it_was() -> None:
    class Person:
        mail: Annotated[str, PII("email", erased="nobody")]
        born: Annotated[date | None, PII("birthday")] = field(default=None, mask="full")
        number: str = field(immutable=True, mask="null")
        since: date = field(default=date(2020, 1, 2), write_once=True)
        held: bool | None = field(default=None, never_null=True)

        __dataflow__: ClassVar[dict[str, Any]] = {
            "subject": True,
            "legal_hold": "held",
            "retention": {"after_days": 9, "field": "since"},
        }

    model = declare(Person)
    definition = msgspec.json.decode(msgspec.json.encode(define(model)))
    rebuilt = rebuild(definition)

    assert define(rebuilt) == define(model)
    assert [each.marks for each in rebuilt.fields] == [
        each.marks for each in model.fields
    ]
    assert rebuilt.privacy == model.privacy


@pytest.mark.parametrize("keeps_apart", [False, True])
def test_a_rebuilt_model_has_tenants_as_it_had(*, keeps_apart: bool) -> None:
    class Note:
        name: str

        __dataflow__: ClassVar[dict[str, Any]] = {"multi_tenant": True}

    model = declare(Note, Family(keeps_apart=keeps_apart))
    rebuilt = rebuild(msgspec.json.decode(msgspec.json.encode(define(model))))

    assert rebuilt.is_apart is keeps_apart
    assert rebuilt.names == model.names


def test_a_checksum_tells_contents_apart_and_nothing_else() -> None:
    class User:
        name: str

    class Other:
        name: str

    Other.__name__ = "User"
    first = define(declare(User))

    assert checksum(first) == checksum(define(declare(Other)) | {"table": "users"})
    assert checksum(first) != checksum(first | {"table": "people"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "upgrade"),
        ({"fields": [{"name": "x", "type": {"kind": "?"}}]}, "cannot be read"),
        ({"fields": [{"name": "x"}]}, "cannot be read"),
    ],
)
def test_a_definition_of_somebody_else_is_refused(
    change: dict[str, Any], message: str
) -> None:
    class User:
        name: str

    with pytest.raises(ModelError, match=message):
        rebuild(define(declare(User)) | change)


async def test_another_dataflow_rebuilds_what_was_registered(
    database_url: str,
) -> None:
    async with DataFlow(database_url) as first:
        first.model(fresh())

        @first.model
        class OrderLine:
            __dataflow__: ClassVar[dict[str, Any]] = {
                "primary_key": ["order", "number"]
            }
            order: int
            number: int
            note: str | None = None

        result = await first.register_models()
        assert result["registered_models"] == ["Everything", "OrderLine"]
        assert result["versions"] == {"Everything": 1, "OrderLine": 1}
        stored = await first["Everything"].create()
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        result = await db.reconstruct_models_from_registry_async()
        with pytest.raises(MissingFieldError, match="code"):
            await db["Everything"].create(size=6)
        made = await db["Everything"].create(size=6, code="x")
        read = await db["Everything"].read(stored["id"])

        assert result["reconstructed_models"] == ["Everything", "OrderLine"]
        assert result["errors"] == []
        assert result["total_registry_models"] == result["success_count"] == 2
        nodes = result["generated_nodes"]["Everything"]
        assert nodes["bulk_upsert"] == "EverythingBulkUpsertNode"
        assert made["amount"] == Decimal("1.50")
        assert (made["color"], made["colors"]) == ("red", ["blue"])
        assert read["local"] == datetime(2024, 2, 29, 1)  # noqa: DTZ001
        assert db["OrderLine"].model.key == ("order", "number")
        again = await db.reconstruct_models_from_registry_async()
        assert (again["success_count"], again["total_registry_models"]) == (0, 2)


def test_plain_code_rebuilds_models_in_another_process(database_url: str) -> None:
    db = DataFlow(database_url)

    @db.model
    class User:
        name: str

    anyio.run(db.initialize)
    db.close()
    code = (
        "import sys\n"
        "from dataflow import DataFlow, LocalRuntime, WorkflowBuilder\n"
        "db = DataFlow(sys.argv[1], auto_migrate=False)\n"
        "models = db.reconstruct_models_from_registry()\n"
        "flow = WorkflowBuilder()\n"
        "name = models['generated_nodes']['User']['create']\n"
        "flow.add_node(name, 'it', {'name': 'Ann'})\n"
        "results, _ = LocalRuntime().execute(flow.build())\n"
        "print(results['it'])\n"
    )
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", code, database_url],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.strip() == "{'id': 1, 'name': 'Ann'}"


async def test_a_content_is_one_version_whoever_comes_back_to_it(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dataflow")

    async def register(*names: str) -> dict[str, int]:
        body = {"__annotations__": dict.fromkeys(names, str)}
        async with DataFlow(database_url) as db:
            db.model(type("User", (), body))
            result = await db.register_models()
            return dict(result["versions"])

    assert await register("a") == {"User": 1}
    assert await register("a") == {}
    assert await register("a", "b") == {"User": 2}
    assert await register("a") == {"User": 1}
    assert await register("a") == {}
    async with DataFlow(database_url) as db:
        history = await db.registry.history("User")
        (current,) = await db.registry.entries()

    assert [(each.version, each.activation) for each in history] == [(1, 3), (2, 2)]
    assert current == history[0]
    events = [each for each in caplog.messages if "model_changed" in each]
    assert len(events) == 2


async def test_drift_is_told_and_logged(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with DataFlow(database_url) as first:
        for name in ("User", "Order"):
            first.model(type(name, (), {"__annotations__": {"name": str}}))
        assert [each.kind for each in await first.registry.drift()] == [
            "unregistered",
            "unregistered",
        ]
        await first.register_models()
        assert await first.registry.drift() == []
    caplog.clear()
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        for name in ("User", "Item"):
            body = {"__annotations__": {"name": str, "size": int}}
            db.model(type(name, (), body))
        drift = await db.registry.drift()
        result = await db.reconstruct_models_from_registry_async()

    assert [(each.model, each.kind) for each in drift] == [
        ("Item", "unregistered"),
        ("Order", "undeclared"),
        ("User", "changed"),
    ]
    assert drift[2].version == 1
    assert result["reconstructed_models"] == ["Order"]
    assert len([each for each in caplog.messages if "model_drifted" in each]) == 4


@pytest.mark.parametrize(
    "given",
    [
        {"auto_migrate": False},
        {"existing_schema_mode": True},
        {"enable_model_persistence": False},
    ],
)
async def test_nothing_is_registered_where_nothing_may_be(
    given: dict[str, Any], database_url: str
) -> None:
    async with DataFlow(database_url, **given) as db:

        @db.model
        class User:
            name: str

        await db.initialize()
        with pytest.raises(RegistryOffError) as caught:
            await db.register_models()

        assert caught.value.reason in str(caught.value)
        assert await db.registry.entries() == []
        assert await db.registry.history("User") == []
        result = await db.reconstruct_models_from_registry_async()
        assert result["total_registry_models"] == 0


async def test_what_was_rebuilt_or_discovered_is_not_registered_again(
    database_url: str,
) -> None:
    async with DataFlow(database_url) as first:
        first.model(fresh())
        await first.initialize()
    async with DataFlow(database_url) as db:
        await db.reconstruct_models_from_registry_async()
        assert (await db.register_models())["registered_models"] == []
    async with DataFlow(database_url) as db:
        await db.register_schema_as_models_async()
        assert (await db.register_models())["registered_models"] == []
        assert len(await db.registry.entries()) == 1


async def test_an_unreadable_row_is_an_error_beside_the_others(
    database_url: str,
) -> None:
    async with DataFlow(database_url) as first:
        for name in ("User", "Order"):
            first.model(type(name, (), {"__annotations__": {"name": str}}))
        await first.register_models()
        flow = first.workflow()
        query = "UPDATE dataflow_models SET definition = '{}' WHERE model = 'Order'"
        flow.add_node("AsyncSQLDatabaseNode", "it", {"query": query})
        await first.run(flow.build())
    async with DataFlow(database_url) as db:
        result = await db.reconstruct_models_from_registry_async()

    assert result["reconstructed_models"] == ["User"]
    assert result["error_count"] == 1
    assert "cannot be declared" in result["errors"][0]


async def test_options_that_json_does_not_hold_are_refused(database_url: str) -> None:
    model = declare(type("User", (), {"__annotations__": {"name": str}}))
    model = msgspec.structs.replace(model, options={"by": object()})
    with pytest.raises(ModelError, match="JSON does not"):
        define(model)


def _register_in_a_process(database_url: str, number: int) -> int:
    async def main() -> int:
        async with DataFlow(database_url) as db:
            for name in ("User", "Order"):
                fields = dict.fromkeys(("name", f"extra_{number % 2}"), str)
                db.model(type(name, (), {"__annotations__": fields}))
            result = await db.register_models()
            return len(result["versions"])

    return anyio.run(main)


async def test_processes_that_register_at_once_make_one_version_of_each_content(
    database_url: str,
) -> None:
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(
                    to_process.run_sync, _register_in_a_process, database_url, number
                )
    async with DataFlow(database_url) as db:
        history = [
            *await db.registry.history("User"),
            *await db.registry.history("Order"),
        ]

    assert sorted((each.model, each.version) for each in history) == [
        ("Order", 1),
        ("Order", 2),
        ("User", 1),
        ("User", 2),
    ]
    assert len({(each.model, each.checksum) for each in history}) == 4


async def test_a_registration_that_is_cancelled_is_whole_or_nothing(
    driver: Driver,
) -> None:
    from dataflow.schema import register  # noqa: PLC0415  # for this alone

    models = [
        declare(type(f"M{n}", (), {"__annotations__": {"name": str}})) for n in range(5)
    ]
    counts: list[int] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        await register(driver, models)
    counts.append(len(await entries(driver)))
    # Later and later, until it is done before it is cancelled.
    delay = 0.0005
    while counts[-1] == 0:
        with anyio.move_on_after(delay):
            await register(driver, models)
        counts.append(len(await entries(driver)))
        delay *= 1.5

    assert counts[0] == 0
    assert set(counts) == {0, 5}
