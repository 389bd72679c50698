"""What a collection has read so far, on disk: whatever ends the process, at most one page is read again.

A SQLite file beside the snapshot-to-be. A page of assets and the token of the next page are committed
together; so a collection that goes on from here loses nothing and doubles nothing.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import orjson

from auditor.errors import AuditorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auditor.sources.live.decode import Line

_FORM = "gke-auditor/collection/v1"
_SCHEMA = """
CREATE TABLE about (form TEXT, plan BLOB, read_time TEXT);
CREATE TABLE asset (name TEXT NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX asset_name ON asset (name);
CREATE TABLE listing (key TEXT PRIMARY KEY, token TEXT NOT NULL, done INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE certificate (cluster TEXT PRIMARY KEY, pem TEXT NOT NULL) WITHOUT ROWID;
"""
_SUFFIXES = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a listing is: the token of its next page (empty: the first), or that it is done."""

    token: str
    done: bool


class State:
    """The file. Threads share it; every method is one transaction."""

    def __init__(self, path: Path, connection: sqlite3.Connection, read_time: str) -> None:
        self._path = path
        self._connection = connection
        self._lock = threading.Lock()
        self.read_time = read_time

    @classmethod
    def create(cls, path: Path, plan: object, read_time: str) -> State:
        """A new state; one that was there is discarded. `AuditorError` if it cannot be written."""
        with _told(path):
            if path.exists():
                _see_that_nobody_uses(path)
            _remove(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = _connect(path)
            with _closed_on_error(connection):
                connection.executescript(_SCHEMA)
                connection.execute(
                    "INSERT INTO about VALUES (?, ?, ?)",
                    (_FORM, orjson.dumps(plan, option=orjson.OPT_SORT_KEYS), read_time),
                )
        return cls(path, connection, read_time)

    @classmethod
    def resume(cls, path: Path, plan: object) -> State | None:
        """The state that an interrupted collection left; None if there is none.

        `AuditorError` if it is that of another collection, or damaged.
        """
        if not path.exists():
            return None
        with _told(path):
            connection = _connect(path)
            try:
                with _closed_on_error(connection):
                    row = connection.execute("SELECT form, plan, read_time FROM about").fetchone()
            except sqlite3.OperationalError as error:
                if "locked" in str(error):
                    raise
                # The process ended before the file was set up.
                return None
        if row is None:
            connection.close()
            return None
        form, stated, read_time = row
        if form != _FORM or stated != orjson.dumps(plan, option=orjson.OPT_SORT_KEYS):
            connection.close()
            raise AuditorError(
                "holds the interrupted collection of other scopes or options",
                hint="give the same scopes and options as then, or leave out --resume to begin anew",
                place=str(path),
            )
        return cls(path, connection, read_time)

    def cursor(self, key: str) -> Cursor:
        """How far a listing is."""
        with self._lock:
            row = self._connection.execute("SELECT token, done FROM listing WHERE key = ?", (key,)).fetchone()
        return Cursor("", done=False) if row is None else Cursor(row[0], done=bool(row[1]))

    def page(self, key: str, lines: Sequence[Line], token: str) -> int:
        """Keep a page of a listing and the token of the next (empty: it is done); how many assets are new."""
        with self._transaction() as connection:
            new = connection.executemany(
                "INSERT OR IGNORE INTO asset VALUES (?, ?, ?)",
                [(line.name, line.asset_type, line.body) for line in lines],
            ).rowcount
            certificates = [(line.name, line.certificate) for line in lines if line.certificate]
            if certificates:
                connection.executemany("INSERT OR IGNORE INTO certificate VALUES (?, ?)", certificates)
            self._keep_cursor(connection, key, token, done=not token)
        return max(new, 0)

    def restart(self, key: str) -> None:
        """Begin a listing anew; the assets that are there stay."""
        with self._transaction() as connection:
            self._keep_cursor(connection, key, "", done=False)

    def _keep_cursor(self, connection: sqlite3.Connection, key: str, token: str, *, done: bool) -> None:
        connection.execute("INSERT OR REPLACE INTO listing VALUES (?, ?, ?)", (key, token, int(done)))

    def replace(self, lines: Iterable[Line]) -> None:
        """Keep assets in the place of those of the same name."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO asset VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
                [(line.name, line.asset_type, line.body) for line in lines],
            )

    def body(self, name: str) -> bytes | None:
        """The line of an asset; None if it is not there."""
        with self._lock:
            row = self._connection.execute("SELECT body FROM asset WHERE name = ?", (name,)).fetchone()
        return None if row is None else cast("bytes", row[0])

    def ancestors(self, project: str) -> list[str]:
        """The ancestors that an asset of the project (ID or number) states; empty if none does."""
        for host in ("compute", "container", "cloudresourcemanager"):
            first = f"//{host}.googleapis.com/projects/{project}"
            # The character after the slash is the next one: all names below the project, and no others.
            for low, high in ((first, first + "\0"), (f"{first}/", f"{first}0")):
                with self._lock:
                    row = self._connection.execute(
                        "SELECT body FROM asset WHERE name >= ? AND name < ? LIMIT 1", (low, high)
                    ).fetchone()
                if row is not None:
                    above = orjson.loads(row[0]).get("ancestors")
                    if above:
                        return cast("list[str]", above)
        return []

    def forget(self, asset_types: Sequence[str]) -> None:
        """Remove the assets of types."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM asset WHERE type = ?", [(one,) for one in asset_types])

    def certificates(self) -> dict[str, str]:
        """The certificate authority of each cluster, by full resource name, where it is known."""
        with self._lock:
            return dict(self._connection.execute("SELECT cluster, pem FROM certificate"))

    def keep_certificate(self, cluster: str, pem: str) -> None:
        """Keep the certificate authority of a cluster."""
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO certificate VALUES (?, ?)", (cluster, pem))

    def counts(self) -> dict[str, int]:
        """How many assets there are by type."""
        with self._lock:
            return dict(
                self._connection.execute("SELECT type, count(*) FROM asset GROUP BY type ORDER BY type")
            )

    def bodies(self, asset_type: str | None = None) -> Iterator[tuple[str, bytes]]:
        """Type and line of every asset (of the type), sorted by name; a few at a time are in memory."""
        after = ""
        while True:
            with self._lock:
                rows = self._connection.execute(
                    "SELECT name, type, body FROM asset WHERE name > ? AND (? IS NULL OR type = ?) "
                    "ORDER BY name LIMIT 500",
                    (after, asset_type, asset_type),
                ).fetchall()
            for _, kind, body in rows:
                yield kind, body
            if len(rows) < 500:
                return
            after = cast("str", rows[-1][0])

    def close(self) -> None:
        """Close the file and leave it there, for `resume`."""
        with self._lock:
            self._connection.close()

    def discard(self) -> None:
        """Close the file and remove it."""
        self.close()
        _remove(self._path)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _told(self._path):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    with _closed_on_error(connection):
        # One process at a time; what the operating system has is safe from the end of this process.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    return connection


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _see_that_nobody_uses(path: Path) -> None:
    try:
        _connect(path).close()
    except sqlite3.DatabaseError as error:
        # What is damaged is of no use to anybody, and about to be discarded.
        if "locked" in str(error):
            raise


def _remove(path: Path) -> None:
    for suffix in _SUFFIXES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise AuditorError(
                "another collection is at work on it",
                hint="wait for it to end, or give another --output",
                place=str(path),
            ) from error
        damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        raise AuditorError(
            f"the state of the collection cannot be {'read: it is damaged' if damaged else 'kept'}: {error}",
            hint="leave out --resume to begin anew"
            if damaged
            else "make room on the device, see that you may write there, and go on with --resume",
            place=str(path),
        ) from error
    except OSError as error:
        raise AuditorError(
            f"cannot be written: {error.strerror}", hint="give another --output", place=str(path)
        ) from error
