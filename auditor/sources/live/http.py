"""HTTP GET and nothing else, to the listed paths and nowhere else, within a time and a size."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from google.auth.exceptions import GoogleAuthError
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from auditor import __version__
from auditor.sources.live import calls

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

LARGEST = 64 << 20
"""The largest answer that is read."""

_AGAIN = frozenset((429, 500, 502, 503, 504))
_PAUSES = (0.5, 1.5)
_ALLOWED = tuple(re.compile(call.name) for call in calls.HTTP)


class FetchError(Exception):
    """A request without an answer that can be used. `status` is that of HTTP, 0 if there was none."""

    def __init__(self, message: str, status: int = 0, body: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        self.body = body


@dataclass(slots=True)
class Deadline:
    """A moment after which nothing is waited for."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds until then."""
        return self.at - time.monotonic()


class _Bearer(AuthBase):
    """Sends a token; and being there, keeps requests from looking for a password in a netrc file."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._token()
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request


class _Pinned(HTTPAdapter):
    """Trusts one certificate authority (None: those of the system), and can be cut off in mid-answer."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self.sockets: list[socket.socket] = []
        super().__init__(max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        if self._context is not None:
            options["ssl_context"] = self._context
        super().init_poolmanager(*arguments, **options)
        sockets = self.sockets

        class Connection(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                if isinstance(self.sock, socket.socket):
                    sockets.append(self.sock)

        class Pool(HTTPSConnectionPool):
            ConnectionCls = Connection

        manager: Any = self.poolmanager
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": Pool}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        # requests would add the public authorities to those of the context.
        if self._context is None:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]

    def cut(self) -> None:
        """End every connection, whatever waits on it."""
        for one in self.sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Reader:
    """Reads from one server, whose base URL has no path. Close it at the end."""

    def __init__(
        self,
        base: str,
        token: Callable[[], str],
        context: ssl.SSLContext | None = None,
        *,
        proxies: bool = True,
    ) -> None:
        self._base = base
        self._adapter = _Pinned(context)
        self._session = requests.Session()
        self._session.mount("https://", self._adapter)
        self._session.auth = _Bearer(token)
        self._session.trust_env = proxies
        self._session.headers["User-Agent"] = f"gke-auditor/{__version__}"

    def get(self, path: str, deadline: Deadline) -> bytes:
        """The body of an answer with status 200. `FetchError` for any other outcome."""
        if not any(allowed.fullmatch(path) for allowed in _ALLOWED):
            raise calls.ForbiddenCallError(f"GET {path} is not among the calls that this program makes")
        for pause in _PAUSES:
            try:
                return self._once(path, deadline)
            except FetchError as error:
                if error.status not in _AGAIN or deadline.left < 2 * pause:
                    raise
            time.sleep(pause)
        return self._once(path, deadline)

    def _once(self, path: str, deadline: Deadline) -> bytes:
        left = deadline.left
        if left <= 0:
            raise FetchError("there was no time left to ask")
        # A timeout of a socket begins again with every byte; the whole has to end in time.
        watch = threading.Timer(left, self._adapter.cut)
        watch.daemon = True
        watch.start()
        try:
            with self._session.get(
                f"{self._base}{path}",
                timeout=left,
                allow_redirects=False,
                stream=True,
                headers={"Accept": "application/json"},
            ) as answer:
                body = answer.raw.read(LARGEST + 1, decode_content=True)
                status = answer.status_code
        except requests.exceptions.SSLError as error:
            raise FetchError(f"its certificate is not accepted: {_last(error)}") from error
        except GoogleAuthError as error:
            raise FetchError(f"there is no access token: {_last(error)}") from error
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            if deadline.left <= 0 or isinstance(error, requests.Timeout):
                raise FetchError("it did not answer in time") from error
            raise FetchError(f"it cannot be reached: {_last(error)}") from error
        finally:
            watch.cancel()
        if deadline.left <= 0:
            raise FetchError("it did not answer in time")
        if len(body) > LARGEST:
            raise FetchError(f"its answer is longer than {LARGEST >> 20} MiB")
        if status != 200:
            raise FetchError(f"it answers with HTTP status {status}{_told(body)}", status, body)
        return bytes(body)

    def close(self) -> None:
        """End the connections."""
        self._session.close()


def host_of(url: str) -> str:
    """The host of a URL."""
    return urlsplit(url).hostname or ""


def _last(error: BaseException) -> str:
    """The innermost cause, in short."""
    cause: BaseException = error
    while True:
        inner = getattr(cause, "reason", None) or cause.__cause__ or cause.__context__
        if not isinstance(inner, BaseException) or inner is cause:
            break
        cause = inner
    return " ".join(str(cause).split())[:200] or type(cause).__name__


def _told(body: bytes) -> str:
    """What an error's body says: the `message` of a Kubernetes Status or of a Google API error."""
    import orjson

    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    inner = value.get("error", value) if isinstance(value, dict) else {}
    message = inner.get("message") if isinstance(inner, dict) else None
    return f": {' '.join(message.split())[:200]}" if isinstance(message, str) and message else ""
