"""The page about filters, made of the operators themselves.

``python -m dataflow.sql.filters._page docs/filters.md`` writes it. What an operator
becomes is asked of the compiler, so the page cannot say anything else.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, Final

import msgspec

from ...models import Family, declare, field
from .._dialect import POSTGRESQL, SQLITE, Dialect
from ._compile import Compiler
from ._parse import MAX_DEPTH, MAX_HOPS, MAX_NODES, parse
from ._reference import references
from .operators import (
    MAX_BOUND_VALUES,
    MAX_CHOICES,
    MAX_MEMBERS,
    MAX_PATTERN_LENGTH,
    MAX_VALUES,
)

__all__ = ["ENTRIES", "Entry", "page"]


class Team:
    """What people belong to, in the examples."""

    city: str


class Person:
    """The model of the examples."""

    name: str
    nickname: str | None
    age: int | None
    limit: int | None
    tags: list[str] | None
    meta: dict[str, Any] | None
    team_id: int | None = field(references="Team", backref="people")
    boss_id: int | None = field(references="Person", backref="staff")


_FAMILY: Final = Family()
for _each in (Team, Person):
    _FAMILY.add(declare(_each, _FAMILY))
_PERSON: Final = _FAMILY.models["Person"]


class Entry(msgspec.Struct, frozen=True):
    """One operator.

    Attributes:
        name: The operator.
        example: A filter of `Person`.
        meaning: What it lets through.
        null: What becomes of NULL.
    """

    name: str
    example: Mapping[str, Any]
    meaning: str
    null: str


_FALSE: Final = "NULL is not let through."
_TRUE: Final = "NULL is let through."
_NOTHING_THERE: Final = (
    "A field that is NULL, a path that leads nowhere, JSON's null and a value of "
    "another type are not let through."
)

_COMPARING: Final = (
    Entry(
        "$eq",
        {"age": {"$eq": 18}},
        "Equal. `{'age': 18}` says the same.",
        f"{_FALSE} `None` asks for NULL.",
    ),
    Entry(
        "$ne",
        {"age": {"$ne": 18}},
        "Not equal.",
        f"{_TRUE} `{{'$ne': None}}` asks for anything but NULL.",
    ),
    Entry("$gt", {"name": {"$gt": "Bo"}}, "Above; text goes by code point.", _FALSE),
    Entry("$gte", {"age": {"$gte": 18}}, "Equal or above.", _FALSE),
    Entry("$lt", {"age": {"$lt": 18}}, "Below.", _FALSE),
    Entry("$lte", {"age": {"$lte": 18}}, "Equal or below.", _FALSE),
    Entry(
        "$between",
        {"age": {"$between": [18, 65]}},
        "From the first to the second, both included.",
        _FALSE,
    ),
    Entry(
        "$in",
        {"age": {"$in": [18, 21]}},
        f"One of a list, a tuple or a set: up to {MAX_VALUES} values, "
        f"{MAX_BOUND_VALUES} of float or bytes. No value lets nothing through.",
        "NULL is let through if `None` is one of them.",
    ),
    Entry(
        "$nin",
        {"age": {"$nin": [18, 21]}},
        "None of a list.",
        "NULL is let through unless `None` is one of them.",
    ),
    Entry(
        "$mod",
        {"age": {"$mod": [4, 1]}},
        "An int that, divided by the first, leaves the second, with the sign of the "
        "field. A divisor of 0 is refused.",
        _FALSE,
    ),
    Entry(
        "$field",
        {"age": {"$gt": {"$field": "limit"}}},
        "Stands for the value of another field, stored alike, behind `$eq`, `$ne`, "
        "`$gt`, `$gte`, `$lt`, `$lte` and in `$between`.",
        "NULL on either side: not let through, except by `$ne`.",
    ),
    Entry(
        "$null",
        {"age": {"$null": True}},
        "Whether it is NULL.",
        "That is what it asks for.",
    ),
    Entry(
        "$exists",
        {"age": {"$exists": True}},
        "Whether it is anything but NULL.",
        "That is what it asks for.",
    ),
)
_JOINING: Final = (
    Entry(
        "$and",
        {"$and": [{"age": 18}, {"name": "Bo"}]},
        "All of them; names side by side in a mapping say the same. None of none "
        "keeps nothing out.",
        "As the parts say.",
    ),
    Entry(
        "$or",
        {"$or": [{"age": 18}, {"name": "Bo"}]},
        "At least one of them.",
        "As the parts say.",
    ),
    Entry(
        "$nor",
        {"$nor": [{"age": 18}, {"name": "Bo"}]},
        "None of them.",
        "What the parts do not let through for NULL is let through.",
    ),
    Entry(
        "$not",
        {"age": {"$not": {"$gt": 18}}},
        "Not what stands inside; also in place of a field: `{'$not': {'age': 18}}`.",
        "What the inside does not let through for NULL is let through.",
    ),
)
_TEXT: Final = (
    Entry(
        "$like",
        {"name": {"$like": "B%_"}},
        "`%` is any text, `_` any character, a backslash takes the next one as it "
        "is. Case counts.",
        _FALSE,
    ),
    Entry("$ilike", {"name": {"$ilike": "b%"}}, "`$like` in any case.", _FALSE),
    Entry("$contains", {"name": {"$contains": "o"}}, "Has it inside.", _FALSE),
    Entry(
        "$icontains",
        {"name": {"$icontains": "ö"}},
        "`$contains` in any case, one letter for one: `ß` is `ẞ`, but not `ss`.",
        _FALSE,
    ),
    Entry("$startsWith", {"name": {"$startsWith": "B"}}, "Begins so.", _FALSE),
    Entry(
        "$istartsWith",
        {"name": {"$istartsWith": "b"}},
        "`$startsWith` in any case.",
        _FALSE,
    ),
    Entry("$endsWith", {"name": {"$endsWith": "o"}}, "Ends so.", _FALSE),
    Entry(
        "$iendsWith", {"name": {"$iendsWith": "O"}}, "`$endsWith` in any case.", _FALSE
    ),
    Entry(
        "$regex",
        {"name": {"$regex": "^B[a-z]+$"}},
        "A regular expression is found in it. Literals, `.`, groups, `|`, brackets, "
        r"`* + ? {m,n}`, `^ $` and `\d \w \s`, which mean ASCII; what the databases "
        f"read in two ways is refused. Up to {MAX_PATTERN_LENGTH} characters and "
        f"{MAX_CHOICES} quantifiers; it takes linear time.",
        _FALSE,
    ),
    Entry(
        "$options",
        {"name": {"$regex": "^b", "$options": "i"}},
        "Beside `$regex`: `i` is any case. `s`, the dot finds a newline, is always on.",
        _FALSE,
    ),
)
_LISTS: Final = (
    Entry(
        "$all",
        {"tags": {"$all": ["a", "b"]}},
        f"Has all of them, up to {MAX_MEMBERS}. Order and repeats do not count.",
        _FALSE,
    ),
    Entry("$overlap", {"tags": {"$overlap": ["a", "b"]}}, "Has one of them.", _FALSE),
    Entry(
        "$containedBy",
        {"tags": {"$containedBy": ["a", "b"]}},
        "Has nothing else; an empty list has not.",
        _FALSE,
    ),
    Entry(
        "$size",
        {"tags": {"$size": {"$gt": 2}}},
        "How many elements it has: a number, or operators. On lists in JSON too.",
        _FALSE,
    ),
    Entry(
        "$elemMatch",
        {"tags": {"$elemMatch": {"$gt": "a", "$lt": "c"}}},
        "At least one element is let through by all that stands inside.",
        _FALSE,
    ),
)
_DOCUMENTS: Final = (
    Entry(
        "$hasKey",
        {"meta": {"$hasKey": "address"}},
        "Is an object with that key, whatever it holds.",
        _NOTHING_THERE,
    ),
)
_RELATED: Final = (
    Entry(
        "$some",
        {"staff": {"$some": {"age": {"$gt": 60}}}},
        "At least one related row is let through. `{'$some': {}}` asks whether there is "
        "one.",
        "What refers to nothing has no related rows.",
    ),
    Entry(
        "$every",
        {"staff": {"$every": {"age": {"$gt": 60}}}},
        "There is no related row that is not let through; so it is where there is none.",
        "A related row with NULL there is one that is not let through.",
    ),
    Entry(
        "$none",
        {"staff": {"$none": {"age": {"$gt": 60}}}},
        "No related row is let through. `{'$none': {}}` asks for rows without any.",
        "What refers to nothing has no related rows.",
    ),
)
_ONE_RELATED: Final = (
    Entry(
        "relation",
        {"team": {"city": "Bern"}},
        "The row it refers to is there and is let through; `{'team.city': 'Bern'}` says "
        "the same. `{'team': None}` asks for rows that refer to none.",
        "What refers to nothing is not let through.",
    ),
)
_PATHS: Final = (
    Entry("path", {"meta.address.city": "Bern"}, "Text at a path.", _NOTHING_THERE),
    Entry("path", {"meta.sizes.0": {"$gt": 1.5}}, "A number.", _NOTHING_THERE),
    Entry(
        "path",
        {"meta.is_open": {"$ne": True}},
        "Anything but true.",
        "All of that is let through.",
    ),
    Entry(
        "path",
        {"meta.address": None},
        "Nothing there, or JSON's null; `$null` says the same.",
        "That is what it asks for.",
    ),
    Entry(
        "path",
        {"meta.address": {"$exists": True}},
        "The path leads somewhere, be it to JSON's null.",
        "A field that is NULL is not let through.",
    ),
)

ENTRIES: Final = (*_COMPARING, *_JOINING, *_TEXT, *_LISTS, *_DOCUMENTS, *_RELATED)
"""Every operator."""

_HEAD: Final = f"""\
# Filters

<!-- Made by `python -m dataflow.sql.filters._page docs/filters.md`. -->

A filter is a mapping. It means the same on PostgreSQL, on SQLite and in Python.

```python
from typing import Any

from dataflow import DataFlow
from dataflow.sql import columns

db = DataFlow("sqlite:///:memory:")


@db.model
class Person:
    name: str
    nickname: str | None
    age: int | None
    limit: int | None
    tags: list[str] | None
    meta: dict[str, Any] | None


async def main() -> None:
    async with db:
        await db[Person].create(name="Bo", age=20, meta={{"address": {{"city": "Bern"}}}})
        found = await db[Person].list(
            filter={{"age": {{"$gte": 18}}, "meta.address.city": {{"$icontains": "BE"}}}}
        )
        assert [row["name"] for row in found["records"]] == ["Bo"]

        person = columns(Person)  # the same, as an expression
        is_meant = (person.age >= 18) & (person.meta["address"]["city"] == "Bern")
        assert await db[Person].count(filter=is_meant) == 1


import anyio

anyio.run(main)
```

What holds for all of them:

- **Two values.** A comparison with NULL is false, and its negation true: a filter and
  its negation part the rows. On SQL's own terms both would leave some out.
- **Types.** A value is checked as one for the field; `1` is not `"1"` and not `True`.
- **Order.** Text goes by code point, decimals go by value, `1.5` is `1.50`.
- **Values travel as parameters**, steps of a path too. A name that is no field's is
  an error, which tells the nearest one, never SQL.
- **Bounds.** {MAX_DEPTH} levels, {MAX_NODES} conditions. `FilterError` tells the path
  inside the filter, such as `$or[1].age.$gt`, and never a value.

## On the class

A declared class has its columns as attributes: `User.age > 18` is a filter. Joined by
`&`, `|` and `~`, with brackets, it goes wherever a filter goes. Where the annotation says
`Column[int]` instead of `int`, editors and type checkers know what a column can do and
what it is compared with; to the table it makes no difference.

```python
import anyio

from dataflow import Column, DataFlow, field

db = DataFlow("sqlite:///:memory:")


@db.model
class User:
    name: Column[str]
    age: Column[int] = field(default=18)
    tags: Column[list[str]] = field(default_factory=list)
    active: bool = True  # a column too; checkers take it for a bool


async def main() -> None:
    async with db:
        await db[User].create(name="Bo", age=20, tags=["new"])
        wanted = (User.age > 18) & ~User.name.contains("x") & User.tags.has_any(["new"])
        assert await db[User].count(filter=wanted) == 1
        begins = User.name.starts_with("b", any_case=True)
        assert await db[User].count(filter=begins) == 1


anyio.run(main)
```

| on | what there is |
|---|---|
| any column | `==` `!=` `>` `>=` `<` `<=`, `is_in`, `not_in`, `between`, `is_null`, `is_not_null` |
| text | `contains`, `starts_with`, `ends_with`, `like`, `matches`, each with `any_case=True` |
| int | `User.age % 2 == 0` |
| lists | `has_all`, `has_any`, `has_only`, `has_size`, `has_element` |
| JSON | `User.meta["address"]["city"]`, `has_key` |
| whatever is missing | `User.age.holds("$gt", 18)` |

Python's `and`, `or`, `not` and `1 < a < 2` ask a condition for its truth; it has none,
and says so. A default stays what it was, in the model; the attribute is the column.

In Python, `dataflow.sql.parse` makes a tree of a filter, and `dataflow.sql.matcher` a
function of the tree:

```python
from dataflow.models import declare
from dataflow.sql import matcher, parse


class User:
    name: str
    age: int


is_adult = matcher(parse({{"age": {{"$gte": 18}}}}, declare(User)))
assert is_adult({{"name": "Bo", "age": 20}})
```

`dataflow.sql.columns` gives a model's columns for expressions: `==`, `!=`, `<`, `<=`,
`>`, `>=` with a value or another column, `column % 4 == 1`, `.between(…)`, `.is_in(…)`,
`column["key"][0]` into JSON, and `.holds("$icontains", …)` for every other operator;
`&`, `|` and `~` join them. What comes of it *is* the mapping that says the same.

The examples below are of the model above.
"""

_ABOUT_TEXT: Final = """\
Without regard to case, a letter stands for all that differ from it in case only, by the
tables of Unicode: no setting of a database has a say."""

_ABOUT_JSON: Final = """\
For fields that are a `dict`, `list[Any]` or a Struct. A name with dots is a path; digits
are an index in a list and a key in an object. The type of the operand says as what a
value is read: text is never equal to a number. `json_at` is a function that the driver
gives SQLite. Behind a path stand the operators of values and of text, except `$mod` and
`$field`, and `$size` and `$hasKey`."""

_ABOUT_RELATIONS: Final = f"""\
For what foreign keys relate: see [Relations](relations.md). A filter inside is one of the
related model, with all that this page has; it may follow {MAX_HOPS} relations. Above,
`Person` has `team_id: int | None = field(references="Team", backref="people")` and
`boss_id: int | None = field(references="Person", backref="staff")` besides."""

_GROUPS: Final[Sequence[tuple[str, str, Sequence[Entry]]]] = (
    ("Values", "", _COMPARING),
    ("Connectives", "", _JOINING),
    ("Text", _ABOUT_TEXT, _TEXT),
    ("Lists", "For fields such as `list[str]`.", _LISTS),
    ("JSON", _ABOUT_JSON, _DOCUMENTS),
)


def page() -> str:
    """Return the page, in Markdown."""
    parts = [_HEAD]
    for title, text, entries in _GROUPS:
        parts.append(f"## {title}\n")
        parts += [f"{_wrapped(text)}\n"] if text else []
        parts += [_section(entry, f"### `{entry.name}`\n\n") for entry in entries]
    parts.append("### Paths\n")
    parts += [_section(entry, "") for entry in _PATHS]
    parts += ["## Relations\n", f"{_wrapped(_ABOUT_RELATIONS)}\n"]
    parts += [_section(entry, f"### `{entry.name}`\n\n") for entry in _RELATED]
    parts.append("### One related row\n")
    parts += [_section(entry, "") for entry in _ONE_RELATED]
    return "\n".join(parts)


def _section(entry: Entry, heading: str) -> str:
    example = repr(entry.example).replace("'", '"')
    texts = [f"-- {name}\n{_text(entry, each)}" for name, each in _DIALECTS.items()]
    sql = "\n".join(texts)
    return (
        f"{heading}{_wrapped(f'{entry.meaning} {entry.null}')}\n\n"
        f"```text\n{example}\n```\n\n```sql\n{sql}\n```\n"
    )


def _wrapped(text: str) -> str:
    return fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


_WIDTH: Final = 88

_DIALECTS: Final = {"PostgreSQL": POSTGRESQL, "SQLite": SQLITE}


def _text(entry: Entry, dialect: Dialect) -> str:
    compiler = Compiler(dialect, references(_PERSON, dialect))
    return compiler.condition(parse(entry.example, _PERSON))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
