"""Database URLs: what is understood, what is refused, and that no password shows."""

from __future__ import annotations

import pickle
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.drivers import DatabaseUrl, parse_url
from dataflow.errors import UrlError
from dataflow.sql import POSTGRESQL, SQLITE

CANARY = "sEcReT"


def postgres(text: str) -> tuple[str | None, str | None, str | None, int | None, str]:
    url = parse_url(text)
    assert url.dialect is POSTGRESQL
    return url.user, url.password, url.host, url.port, url.database


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:p@h:5433/db", ("u", "p", "h", 5433, "db")),
        ("postgres://u:p@h/db", ("u", "p", "h", None, "db")),
        ("PostgreSQL://u@h/db", ("u", None, "h", None, "db")),
        ("postgresql+asyncpg://u:p@h/db", ("u", "p", "h", None, "db")),
        ("postgresql://h/db", (None, None, "h", None, "db")),
        ("postgresql://h", (None, None, "h", None, "")),
        ("postgresql:///db", (None, None, None, None, "db")),
        ("postgresql://", (None, None, None, None, "")),
        (" postgresql://h:/db\n", (None, None, "h", None, "db")),
        # addresses and sockets
        ("postgresql://u@[::1]:5433/db", ("u", None, "::1", 5433, "db")),
        ("postgresql://u@[fe80::1%25eth0]/db", ("u", None, "fe80::1%eth0", None, "db")),
        ("postgresql://u@/db?host=/var/run", ("u", None, "/var/run", None, "db")),
        ("postgresql://%2Fvar%2Frun/db", (None, None, "/var/run", None, "db")),
        ("postgresql://h/db?host=other&port=1", (None, None, "other", 1, "db")),
        ("postgresql://h/db?user=u&password=p%26q", ("u", "p&q", "h", None, "db")),
        # characters that ought to be encoded, and are not
        (
            "postgresql://admin:MySecret#123$@localhost/db",
            ("admin", "MySecret#123$", "localhost", None, "db"),
        ),
        (
            "postgres://u:p@ss#w?rd@host:5433/db?sslmode=require",
            ("u", "p@ss#w?rd", "host", 5433, "db"),
        ),
        ("postgresql://u:a/b@h/db", ("u", "a/b", "h", None, "db")),
        ("postgresql://u:a@b/c@h/db", ("u", "a@b/c", "h", None, "db")),
        ("postgresql://u:a?b=1@h/db", ("u", "a?b=1", "h", None, "db")),
        ("postgresql://u:p?sslmode=x@h/db", ("u", "p?sslmode=x", "h", None, "db")),
        ("postgresql://u:a:b@h/db", ("u", "a:b", "h", None, "db")),
        ("postgresql://u:a@@h/db", ("u", "a@", "h", None, "db")),
        ("postgresql://u:@h/db", ("u", None, "h", None, "db")),
        # a percent sign that encodes nothing
        ("postgresql://u:100%@h/db", ("u", "100%", "h", None, "db")),
        ("postgresql://u:5%zz%41@h/db", ("u", "5%zzA", "h", None, "db")),
        ("postgresql://u%40d:p%C3%A9@h/d%2Fb", ("u@d", "pé", "h", None, "d/b")),
        # the standard reading wins where it fits
        (
            "postgresql://u:p@h/db?application_name=a@b",
            ("u", "p", "h", None, "db"),
        ),
    ],
)
def test_a_postgresql_url_is_taken_apart(
    text: str, expected: tuple[str | None, str | None, str | None, int | None, str]
) -> None:
    assert postgres(text) == expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///relative.db", "relative.db"),
        ("sqlite:////absolute/a.db", "/absolute/a.db"),
        ("sqlite+aiosqlite:///a.db", "a.db"),
        ("sqlite:///C:/data/app.db", "C:/data/app.db"),
        ("sqlite:///my%20file.db", "my file.db"),
        ("sqlite:///a#b.db", "a#b.db"),
        ("sqlite:///:memory:", ":memory:"),
        ("sqlite:///", ":memory:"),
        ("sqlite://", ":memory:"),
        (":memory:", ":memory:"),
        ("app.db", "app.db"),
        ("./data/app.SQLite", "./data/app.SQLite"),
        ("C:\\data\\app.sqlite3", "C:\\data\\app.sqlite3"),
    ],
)
def test_a_sqlite_url_names_a_file_or_the_memory(text: str, path: str) -> None:
    url = parse_url(text)

    assert (url.dialect, url.database) == (SQLITE, path)
    assert url.is_memory == (path == ":memory:")
    assert (url.host, url.user, url.password) == (None, None, None)


def test_options_are_decoded_and_kept() -> None:
    text = "postgresql://h/db?sslmode=require&application_name=my%20app&connect_timeout=2.5"

    assert parse_url(text).options == {
        "sslmode": "require",
        "application_name": "my app",
        "connect_timeout": "2.5",
    }
    assert parse_url("sqlite:///a.db?timeout=1&").options == {"timeout": "1"}
    assert parse_url("sqlite:///a.db?shortcut=off").options == {"shortcut": "off"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f"mysql://u:{CANARY}@h/db",
            "PostgreSQL and SQLite are supported, not 'mysql'",
        ),
        (f"postgersql://u:{CANARY}@h/db", "did you mean 'postgresql'?"),
        (f"oracle://u:{CANARY}@h/db", "use postgresql:// or sqlite:///"),
        (f"u:{CANARY}@h/db", "it has no scheme"),
        ("app.txt", "a bare path must end in .db"),
        (f"postgresql://u:{CANARY}@h/db?sslmod=require", "did you mean 'sslmode'?"),
        (f"postgresql://u:{CANARY}@h/db?zzz=1", "known: application_name"),
        (f"postgresql://u:{CANARY}@h/db?sslmode=requires", "did you mean 'require'?"),
        (f"postgresql://u:{CANARY}@h/db?sslmode=9", "use disable, allow"),
        (f"postgresql://u:{CANARY}@h/db?connect_timeout=soon", "a number of seconds"),
        (f"postgresql://u:{CANARY}@h:99999/db", "a number from 1 to 65535"),
        (f"postgresql://u:{CANARY}@h/db?port=x", "a number from 1 to 65535"),
        (f"postgresql://u:{CANARY}@h:port/db", "not of the form"),
        (f"postgresql://u:{CANARY}@h1,h2/a/b", "not of the form"),
        (f"postgresql://u:{CANARY}@h/db#part", "not of the form"),
        (f"postgresql://u:{CANARY}", "not of the form"),
        (f"postgresql://u:{CANARY}%FF@h/db", "not UTF-8"),
        (f"postgresql://h/db?password={CANARY}&sslmode=9", "there is no sslmode"),
        ("sqlite://app.db", "write sqlite:///app.db"),
        ("sqlite:///app.db?mode=ro", "there is no option 'mode'"),
        ("sqlite:///app.db?shortcut=false", "shortcut is on or off"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(text: str, problem: str) -> None:
    with pytest.raises(UrlError) as caught:
        parse_url(text)

    assert problem in str(caught.value)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_a_masked_url_still_says_which_one_it_is() -> None:
    with pytest.raises(UrlError, match=r"postgresql://u:\*\*\*@h:x/db"):
        parse_url("postgresql://u:a@b:c@h:x/db")
    with pytest.raises(UrlError, match=r"postgresql://h:\*\*\*"):
        parse_url("postgresql://h:x/db")


def test_no_text_of_a_url_holds_its_password() -> None:
    url = parse_url(f"postgresql://me:{CANARY}@h:5433/db?sslmode=require")

    assert url.safe == "postgresql://me:***@h:5433/db?sslmode=require"
    assert str(url) == url.safe
    assert f"{url!r}" == f"DatabaseUrl({url.safe!r})"
    assert parse_url("postgresql://[::1]/db").safe == "postgresql://[::1]/db"
    assert parse_url("postgresql://%2Frun/db").safe == "postgresql://%2Frun/db"
    assert (
        parse_url("sqlite:////a/b.db?timeout=1").safe == "sqlite:////a/b.db?timeout=1"
    )
    assert parse_url(":memory:").safe == "sqlite:///:memory:"


def test_equal_urls_are_one_key() -> None:
    texts = [
        "postgres://u:p%40@h/db?sslmode=require",
        "postgresql://u:p@@h/db?sslmode=require",
    ]
    one, other = map(parse_url, texts)

    assert one == other
    assert len({one, other, parse_url("postgresql://u:q@h/db")}) == 2
    assert one != parse_url("postgresql://u:p%40@h/db")
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301  # just dumped


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(user=WORDS, password=WORDS, database=WORDS)
def test_what_is_encoded_comes_back(user: str, password: str, database: str) -> None:
    parts = [quote(part, safe="") for part in (user, password, database)]

    url = parse_url(f"postgresql://{parts[0]}:{parts[1]}@h:5433/{parts[2]}")

    assert url == DatabaseUrl(POSTGRESQL, "h", 5433, user, password, database)
    assert url.safe == f"postgresql://{parts[0]}:***@h:5433/{parts[2]}"


@given(st.text(st.sampled_from("abAB12#?/:@$&=!+;,~*()[] ^|<>"), min_size=1))
def test_a_password_may_hold_anything_but_a_whole_url(password: str) -> None:
    text = f"postgresql://u:{password}@host:5433/db"

    url = parse_url(text)

    assert (url.user, url.password, url.host) == ("u", password, "host")
    assert (url.port, url.database) == (5433, "db")
