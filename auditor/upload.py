"""SARIF files to GitHub code scanning: read, checked, sent over the REST API, and followed until processed.

The endpoint and its answers are those of the GitHub documentation, "REST API endpoints for code scanning";
how to wait and when to follow redirects is in its "Best practices for using the REST API".
"""

from __future__ import annotations

import base64
import gzip
import ipaddress
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urljoin, urlsplit

import orjson

from auditor import __version__
from auditor.errors import AuditorError
from auditor.reporting import check_sarif
from auditor.reporting.text import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from urllib.parse import SplitResult

    import requests

    from auditor.reporting.check_sarif import Violation

TOKEN_VARIABLE: Final = "GITHUB_TOKEN"  # noqa: S105 - the name of the variable, not a token

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_RATE_LIMITED_PAUSE: Final = 60.0
_CONNECT_TIMEOUT: Final = 10
_READ_TIMEOUT: Final = 60
_ATTEMPTS: Final = 4
_MAX_REDIRECTS: Final = 3
_MAX_ANSWER: Final = 1_000_000
_MAX_ERRORS: Final = 20
_MAX_TEXT: Final = 2_000
_REDIRECTS: Final = frozenset((301, 302, 307, 308))
_REFUSALS: Final = frozenset((400, 413, 422))
_NEEDED: Final = (
    'the token needs the scope `security_events` (classic) or "Code scanning alerts: write" (fine-grained)'
)


@dataclass(frozen=True, slots=True)
class Document:
    """A SARIF file: its path, its bytes, and what they say."""

    file: str
    raw: bytes
    data: object


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: processed, or `refused`, in words."""

    file: str
    text: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, which no `repr`, message or traceback shows."""

    secret: str = field(repr=False)

    def hidden_in(self, text: str) -> str:
        """The text with the token replaced, should a server have echoed it."""
        return text.replace(self.secret, "***")


@dataclass(frozen=True, slots=True)
class Target:
    """Where alerts are to appear: `OWNER/REPO`, a full Git reference, a commit, and the API's address.

    Raises AuditorError if one of them is none, or the address is neither https nor a loopback one.
    """

    repository: str
    ref: str
    commit: str
    api_url: str = "https://api.github.com"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, before anything is sent anywhere."""
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9._-]*[A-Za-z0-9_-]", self.repository):
            raise AuditorError(
                f"{self.repository!r} is not OWNER/REPO",
                hint="e.g. my-organisation/security-findings",
                place="--repository",
            )
        if not re.fullmatch(r"refs/[^\s~^:?*\[\\\x00-\x1f\x7f]+", self.ref):
            raise AuditorError(
                f"{self.ref!r} is not a full Git reference",
                hint="e.g. refs/heads/main, or refs/pull/42/merge for a pull request",
                place="--ref",
            )
        if not re.fullmatch(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}", self.commit):
            raise AuditorError(
                f"{self.commit!r} is not a whole commit id",
                hint="give all its digits: git rev-parse HEAD",
                place="--commit",
            )
        _checked_url(self.api_url)

    @property
    def endpoint(self) -> str:
        """The URL that files are posted to."""
        return f"{self.api_url.rstrip('/')}/repos/{self.repository}/code-scanning/sarifs"


def _checked_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid, parts = False, urlsplit("")
    if not port_is_valid or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise AuditorError(
            f"{url!r} is not the address of an API",
            hint="e.g. https://api.github.com, or https://HOST/api/v3 for GitHub Enterprise Server",
            place="--api-url",
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts)):
        raise AuditorError(
            f"{url!r} would send the token unencrypted", hint="give an https address", place="--api-url"
        )


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token(file: str | None, environment: Mapping[str, str]) -> Token:
    """The access token from a file, or from the environment variable GITHUB_TOKEN.

    Raises AuditorError if there is none, or if it cannot be one. What is wrong with it is not shown.
    """
    if file is None:
        place, text = TOKEN_VARIABLE, environment.get(TOKEN_VARIABLE, "")
    else:
        place = file
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise AuditorError(
                f"the token cannot be read: {reason}",
                hint="give a file that holds nothing but the token",
                place=file,
            ) from error
    text = text.strip()
    if not text:
        raise AuditorError(
            "there is no access token",
            hint=f"set {TOKEN_VARIABLE}, or give a file that holds the token with --token-file",
            place=place,
        )
    if not re.fullmatch(r"[!-~]{1,2000}", text):
        raise AuditorError(
            "this is not an access token: it holds spaces, line breaks or other characters that none has",
            hint="let it hold nothing but the token",
            place=place,
        )
    return Token(text)


# --- files ----------------------------------------------------------------------------------------------


def find(paths: Sequence[str]) -> list[str]:
    """The files that paths mean: each itself, or for a folder those in it that end in .sarif, sorted.

    Raises AuditorError if a folder holds none, or a file is named twice.
    """
    found: list[str] = []
    for path in paths:
        if Path(path).is_dir():
            inner = sorted(str(one) for one in Path(path).rglob("*.sarif") if one.is_file())
            if not inner:
                raise AuditorError(
                    "there is no file in this folder that ends in .sarif",
                    hint="give a file, or the folder that `scan --output sarif=…` wrote to",
                    place=path,
                )
            found += inner
        else:
            found.append(path)
    for path in found:
        if found.count(path) > 1:
            raise AuditorError("the file is named twice", hint="name each file once", place=path)
    return found


def read(path: str) -> tuple[bytes, object]:
    """The bytes of a file, and the JSON they are. Raises AuditorError if they are none."""
    try:
        raw = Path(path).read_bytes()
        return raw, orjson.loads(raw)
    except (OSError, orjson.JSONDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AuditorError(
            f"cannot be read as JSON: {reason}", hint="give a SARIF 2.1.0 file", place=path
        ) from error


def load(paths: Sequence[str]) -> list[Document]:
    """The files that paths mean (as `find` has it), read."""
    return [Document(path, *read(path)) for path in find(paths)]


def check(documents: Sequence[Document]) -> list[tuple[str, Violation]]:
    """What GitHub would refuse in the files, each with its file; two files of one category included."""
    found = [
        (document.file, violation)
        for document in documents
        for violation in check_sarif.check_sarif(document.data)
        if violation.refused
    ]
    pairs = [(document.file, document.data) for document in documents]
    found += (
        (violation.pointer, violation)
        for violation in check_sarif.check_together(pairs)
        if violation.rule == "duplicate-category"
    )
    return found


# --- GitHub ---------------------------------------------------------------------------------------------


def send(
    documents: Sequence[Document],
    target: Target,
    token: Token,
    *,
    timeout: float,
    tell: Callable[[Outcome], None],
    pause: Callable[[float], None] | None = None,
) -> None:
    """Upload the files one after the other, each followed until GitHub has processed it.

    `tell` is called with the outcome of each. `timeout` is how many seconds one file may take, `pause` waits.
    Raises AuditorError if a file could not be sent or its fate not be learned; the files before it stand.
    """
    import requests

    with requests.Session() as session:
        session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": f"gke-auditor/{__version__}",
            }
        )
        # Not as a header: requests would let a .netrc file replace it.
        session.auth = _authorised(token)
        if _is_loopback(urlsplit(target.api_url)):
            session.trust_env = False  # no proxy between here and here
        for document in documents:
            client = _Client(session, target, token, _Patience(timeout, pause or time.sleep), document.file)
            tell(client.upload(document))


def _authorised(token: Token) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token.secret}"
        return request

    return authorise


class _Patience:
    """How much longer to wait for one file."""

    def __init__(self, seconds: float, pause: Callable[[float], None]) -> None:
        self._left = seconds
        self._pause = pause

    def wait(self, seconds: float) -> bool:
        """Wait, unless that takes longer than there is time."""
        if seconds > self._left:
            return False
        self._pause(seconds)
        self._left -= seconds
        return True

    def spend(self, seconds: float) -> None:
        """Count time that passed otherwise."""
        self._left -= seconds


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    data: Any
    text: str


class _Client:
    """One file on its way to GitHub."""

    def __init__(
        self, session: requests.Session, target: Target, token: Token, patience: _Patience, file: str
    ) -> None:
        self._session = session
        self._target = target
        self._token = token
        self._patience = patience
        self._file = file

    def upload(self, document: Document) -> Outcome:
        """Send the file, and wait until it is processed."""
        compressed = gzip.compress(document.raw, 9, mtime=0)
        body = {
            "commit_sha": self._target.commit.lower(),
            "ref": self._target.ref,
            "sarif": base64.b64encode(compressed).decode("ascii"),
            "tool_name": _tool(document.data),
        }
        answer = self._request("POST", self._target.endpoint, body)
        if answer.status in _REFUSALS:
            return Outcome(self._file, f"GitHub refused it ({answer.status}): {answer.text}", refused=True)
        if answer.status != 202:
            raise self._failure(answer)
        id_ = answer.data.get("id") if isinstance(answer.data, dict) else None
        if not isinstance(id_, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", id_):
            raise self._error(
                "GitHub took the file but did not say under which id", "look at the repository's alerts"
            )
        return self._followed(id_)

    def _followed(self, id_: str) -> Outcome:
        delay = _FIRST_PAUSE
        while self._patience.wait(delay):
            answer = self._request("GET", f"{self._target.endpoint}/{quote(id_)}", None)
            # An upload that was just taken may not be known everywhere at once.
            if answer.status not in (200, 404):
                raise self._failure(answer)
            state = answer.data.get("processing_status") if isinstance(answer.data, dict) else None
            said = _errors(answer.data)
            if state == "failed":
                return Outcome(
                    self._file,
                    self._shown(f"GitHub could not process it: {said or 'it does not say why'}"),
                    refused=True,
                )
            if state == "complete":
                also = f"; GitHub says: {said}" if said else ""
                return Outcome(self._file, self._shown(f"processed{also}"), refused=False)
            delay = min(delay * 2, _LONGEST_PAUSE)
        raise self._error(
            f"GitHub has taken the file (id {id_}) and is still processing it",
            "wait longer with --timeout, or ask for "
            f"GET /repos/{self._target.repository}/code-scanning/sarifs/{id_}",
        )

    def _request(self, method: str, url: str, body: dict[str, str] | None) -> _Answer:
        """The answer to a request, repeated while GitHub is busy, and a few times if it cannot be reached."""
        import requests

        delay = _FIRST_PAUSE
        redirects = unreached = 0
        while True:
            started = time.monotonic()
            try:
                with self._session.request(
                    method,
                    url,
                    json=body,
                    timeout=(_CONNECT_TIMEOUT, _READ_TIMEOUT),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    content = _content(response)
                    status, headers = response.status_code, response.headers
            except (requests.RequestException, OSError) as error:
                unreached += 1
                problem = f"GitHub cannot be reached at {self._target.api_url}: {_reason(error)}"
                hint = "check the network, the proxy and --api-url"
                passing = (
                    requests.ConnectionError,
                    requests.Timeout,
                    requests.exceptions.ChunkedEncodingError,
                )
                lasting = isinstance(error, requests.exceptions.SSLError) or not isinstance(error, passing)
                if lasting or unreached == _ATTEMPTS:
                    raise self._error(problem, hint) from error
                busy = delay
            else:
                if status in _REDIRECTS and redirects < _MAX_REDIRECTS:
                    url = self._redirected(url, headers.get("Location", ""))
                    redirects += 1
                    continue
                answer = self._answer(status, content)
                wanted = _busy(answer, headers, delay)
                if wanted is None:
                    return answer
                busy = wanted
                problem = f"GitHub is busy or limits requests ({status}): {answer.text}"
                hint = f"try again in {busy:.0f} seconds, or wait longer with --timeout"
            finally:
                self._patience.spend(time.monotonic() - started)
            if not self._patience.wait(busy):
                raise self._error(problem, hint)
            delay = min(delay * 2, _LONGEST_PAUSE)

    def _redirected(self, url: str, location: str) -> str:
        """Where to go instead; the token goes to no other server (GitHub redirects renamed repositories)."""
        there = urljoin(url, location)
        if not location or urlsplit(there)[:2] != urlsplit(url)[:2]:
            raise self._error(
                f"GitHub redirects to another server, {shorten(there, 200)!r}",
                "check --api-url; the token was not sent there",
            )
        return there

    def _answer(self, status: int, content: bytes) -> _Answer:
        try:
            data = orjson.loads(content) if content else None
        except orjson.JSONDecodeError:
            data = None
        message = data.get("message") if isinstance(data, dict) else None
        said = message if isinstance(message, str) and message else "it does not say why"
        more = _errors(data)
        return _Answer(status, data, self._shown(f"{said}{f' ({more})' if more else ''}"))

    def _shown(self, text: str) -> str:
        return shorten(self._token.hidden_in(text), _MAX_TEXT)

    def _failure(self, answer: _Answer) -> AuditorError:
        match answer.status:
            case 401:
                problem = "GitHub does not accept the token"
                hint = f"check that it has not expired; {_NEEDED}"
            case 403:
                problem = "GitHub does not permit the upload"
                hint = (
                    f"{_NEEDED}; code scanning must be on for the repository (private ones need GitHub Code "
                    "Security), and archived repositories take no uploads"
                )
            case 404:
                problem = f"GitHub knows no repository {self._target.repository}, or hides it from this token"
                hint = f"check --repository and --api-url; {_NEEDED}"
            case _:
                problem = "GitHub gave an answer that is not documented"
                hint = "check --api-url; what answers there may be no GitHub"
        return self._error(f"{problem} ({answer.status}): {answer.text}", hint)

    def _error(self, message: str, hint: str) -> AuditorError:
        return AuditorError(message, hint=hint, place=self._file)


def _content(response: requests.Response) -> bytes:
    """The body of an answer, as far as an answer of GitHub can go."""
    content = b""
    for piece in response.iter_content(1 << 16):
        content += piece
        if len(content) > _MAX_ANSWER:
            break
    return content


def _tool(document: object) -> str:
    """The name of the tool whose results they are, which GitHub shows; its own default is `API`."""
    runs = document.get("runs") if isinstance(document, dict) else None
    first = runs[0] if isinstance(runs, list) and runs else None
    for key in ("tool", "driver", "name"):
        first = first.get(key) if isinstance(first, dict) else None
    return first if isinstance(first, str) and first else "API"


def _errors(data: object) -> str:
    """The `errors` of an answer as text: GitHub gives sentences, or objects with a message."""
    listed = data.get("errors") if isinstance(data, dict) else None
    if not isinstance(listed, list) or not listed:
        return ""
    texts = [one if isinstance(one, str) else _error_object(one) for one in listed[:_MAX_ERRORS]]
    if len(listed) > _MAX_ERRORS:
        texts.append(f"and {len(listed) - _MAX_ERRORS} more")
    return "; ".join(texts)


def _error_object(error: object) -> str:
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else orjson.dumps(error).decode()


def _busy(answer: _Answer, headers: Mapping[str, str], delay: float) -> float | None:
    """How many seconds GitHub wants us to wait before we ask again; None if this is its answer."""
    limited = answer.status == 429 or (
        answer.status == 403
        and (
            "Retry-After" in headers
            or headers.get("X-RateLimit-Remaining") == "0"
            or "rate limit" in answer.text.lower()
        )
    )
    if not limited and answer.status < 500:
        return None
    stated = headers.get("Retry-After", "")
    if stated.isdigit():
        return max(float(stated), _FIRST_PAUSE)
    reset = headers.get("X-RateLimit-Reset", "")
    if headers.get("X-RateLimit-Remaining") == "0" and reset.isdigit():
        return max(float(reset) - time.time(), _FIRST_PAUSE)
    return max(delay, _RATE_LIMITED_PAUSE) if limited else delay


def _reason(error: Exception) -> str:
    """The cause at the bottom of an error, without the objects that the libraries print around it."""
    cause: BaseException = error
    while cause.__cause__ is not None or cause.__context__ is not None:
        cause = cause.__cause__ or cause.__context__ or cause
    return shorten(getattr(cause, "strerror", None) or str(cause) or type(cause).__name__, 300)
