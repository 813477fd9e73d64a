"""The journal of a SQLite database, brought in by a thread of its own."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflow.drivers.sqlite._journal import GROWTH, MOST, Journal
from dataflow.drivers.sqlite._shortcut import Shortcut

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "it.db"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a writer that leaves the journal alone, with a table of large rows."""
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute("CREATE TABLE item (it BLOB)")
    yield writer
    writer.close()


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(str(path))
    yield journal
    end(journal)


def end(journal: Journal) -> None:
    """Let it do what it was asked to, and see its thread end."""
    journal.close()
    thread = journal._thread
    if thread is not None:
        thread.join(60)
    assert not journal.is_alive


def write(writer: sqlite3.Connection, n_bytes: int) -> None:
    writer.execute("INSERT INTO item VALUES (zeroblob(?1))", (n_bytes,))


def stored(path: Path, tmp_path: Path) -> int:
    """Return how many rows there are without the journal."""
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    with sqlite3.connect(copy) as connection:
        (count,) = connection.execute("SELECT count(*) FROM item").fetchone()
    connection.close()
    return int(count)


def test_a_journal_that_has_grown_is_brought_in(
    path: Path, tmp_path: Path, writer: sqlite3.Connection, journal: Journal
) -> None:
    write(writer, GROWTH // 2)
    lives = list[bool]()
    journal.look()
    lives.append(journal.is_alive)
    write(writer, GROWTH)
    journal.look()
    lives.append(journal.is_alive)
    end(journal)

    assert lives == [False, True]
    assert stored(path, tmp_path) == 2
    assert journal.take_restart()
    assert not journal.take_restart()


def test_a_writer_does_not_wait_for_it(
    path: Path, tmp_path: Path, writer: sqlite3.Connection, journal: Journal
) -> None:
    write(writer, GROWTH)
    writer.execute("BEGIN IMMEDIATE")
    write(writer, GROWTH)
    journal.look()
    end(journal)
    writer.execute("COMMIT")

    assert stored(path, tmp_path) == 1


def test_it_is_brought_in_each_time_it_has_grown_by_as_much(
    path: Path, writer: sqlite3.Connection, journal: Journal
) -> None:
    n_pages = GROWTH // PAGE
    with sqlite3.connect(path) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM item").fetchall()  # so it does not begin anew
        for n in range(1, 4):
            write(writer, GROWTH)
            journal.look()
            assert journal._n_brought_in == n * n_pages
            write(writer, 10)
            journal.look()
            assert journal._n_brought_in == n * n_pages
    reader.close()


def test_one_that_began_anew_is_looked_at_anew(
    path: Path, tmp_path: Path, writer: sqlite3.Connection, journal: Journal
) -> None:
    for n in range(1, 4):
        write(writer, 2 * GROWTH)
        journal.look()
        assert journal._n_brought_in == GROWTH // PAGE
        end(journal)  # lest two bring it in at once
        writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
        write(writer, 10)  # begins anew, over old frames
        journal.look()
        assert journal._n_brought_in == 0
        assert Path(f"{path}-wal").stat().st_size > 2 * GROWTH
        assert stored(path, tmp_path) == 2 * n - 1


def test_pages_of_any_size_are_told(tmp_path: Path) -> None:
    for size in (512, 4096, 65536):
        path = tmp_path / f"{size}.db"
        journal = Journal(str(path))
        with sqlite3.connect(path, isolation_level=None) as writer:
            writer.execute(f"PRAGMA page_size = {size}")
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("PRAGMA wal_autocheckpoint = 0")
            writer.execute("CREATE TABLE item (it BLOB)")
            write(writer, GROWTH // 2)
            journal.look()
            assert journal._n_brought_in == 0
            write(writer, GROWTH)
            journal.look()
            end(journal)
        writer.close()

        assert stored(path, tmp_path) == 2


def test_there_need_be_no_journal(path: Path, journal: Journal) -> None:
    journal.look()
    assert not journal.is_alive
    assert not path.exists()


def test_what_it_cannot_bring_in_is_left_to_the_writer(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "folder" / "it.db"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "it.db").write_bytes(b"no database" * 1000)
    header = struct.pack(">8xI4x8s8x", PAGE, b"salts...")
    frame = struct.pack(">8x8s8x", b"salts...") + bytes(PAGE)
    wal = header + frame * (GROWTH // PAGE)
    (tmp_path / "folder" / "it.db-wal").write_bytes(wal)
    journal.look()
    end(journal)

    assert not journal.take_restart()


def test_after_it_was_brought_in_the_next_write_is_for_the_thread(
    writer: sqlite3.Connection, journal: Journal
) -> None:
    shortcut = Shortcut(
        writer, is_reader=False, timeout_s=1.0, most_pages=MOST // PAGE, journal=journal
    )
    assert shortcut.run(lambda: True, 1)
    write(writer, GROWTH)
    journal.look()
    end(journal)

    assert shortcut.run(lambda: True, 1) is None
    assert shortcut.run(lambda: True, 1)
