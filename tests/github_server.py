"""GitHub's code scanning API on this machine: it takes files in, and refuses what GitHub refuses.

The rules of acceptance are written down here a second time, from GitHub's error texts, and share no code with
`check-sarif`: what either of them misses, the comparison of the two shows.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "token-of-a-server-on-this-machine"
REPOSITORY = "acme/findings"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Canned:
    """An answer given instead of the ordinary one."""

    status: int
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class GitHub:
    """The server's state: what it was sent, and what it is to do next."""

    url: str = ""
    uploads: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    next_answers: list[Canned] = field(default_factory=list)
    pending: int = 0
    """How many more times an upload is said to be pending."""


def refusals(document: Any) -> list[str]:
    """Why GitHub refuses a file when it processes it, in its own words as far as they are known."""
    found: list[str] = []
    runs = document.get("runs", [])
    if len(runs) > 20:
        found.append(f"rejecting SARIF, as there are more runs than allowed ({len(runs)} > 20)")
    seen: Counter[tuple[str, str]] = Counter()
    for run in runs:
        driver = run["tool"]["driver"]
        seen[driver["name"], run.get("automationDetails", {}).get("id", "").rpartition("/")[0]] += 1
        found += _of_run(run, driver)
    if any(count > 1 for count in seen.values()):
        found.append(
            "A delivery cannot contain multiple runs with the same category. Please upload a single run per "
            "category"
        )
    return found


def _of_run(run: Any, driver: Any) -> Iterator[str]:
    if any(one.get("executionSuccessful") is False for one in run.get("invocations", [])):
        yield "unsuccessful execution"
    extensions = run["tool"].get("extensions", [])
    if len(extensions) > 100:
        yield f"rejecting SARIF, as there are more extensions per run than allowed ({len(extensions)} > 100)"
    rules = [rule for part in (driver, *extensions) for rule in part.get("rules", [])]
    if len(rules) > 25_000:
        yield f"rejecting SARIF, as there are more rules per run than allowed ({len(rules)} > 25000)"
    for rule in rules:
        properties = rule.get("properties", {})
        if not _is_number(properties.get("security-severity", "0")):
            yield "could not convert rules: invalid security severity value, is not a number"
        tags = properties.get("tags")
        if isinstance(tags, list) and len(tags) > 20:
            yield "rejecting SARIF, as there are more tags per rule than allowed"
    results = run.get("results", [])
    if len(results) > 25_000:
        yield f"rejecting SARIF, as there are more results per run than allowed ({len(results)} > 25000)"
    for result in results:
        yield from _of_result(result)


def _is_number(value: object) -> bool:
    """Whether it is a string that says a number."""
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def _of_result(result: Any) -> Iterator[str]:
    if not result.get("message", {}).get("text"):
        yield "message.text is required"
    locations = result.get("locations") or []
    if len(locations) > 1_000:
        yield "rejecting SARIF, as there are more locations per result than allowed"
    if not locations:
        yield "locationFromSarifResult: expected at least one location"
        return
    physical = locations[0].get("physicalLocation")
    if physical is None:
        yield "locationFromSarifResult: expected a physical location"
        return
    uri = physical.get("artifactLocation", {}).get("uri")
    if not uri:
        yield "locationFromSarifResult: expected artifact location"
        return
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", uri)
    if scheme and scheme[1] != "file":
        yield f'SARIF URI scheme "{scheme[1]}" did not match the checkout URI scheme "file"'
    elif re.search(r"[\s\\]|%(?![0-9A-Fa-f]{2})", uri):
        yield "an invalid URI was provided as a SARIF location"
    steps = sum(
        len(thread["locations"]) for flow in result.get("codeFlows", []) for thread in flow["threadFlows"]
    )
    if steps > 10_000:
        yield "rejecting SARIF, as there are more thread flow locations per result than allowed"


@contextmanager
def serving() -> Iterator[GitHub]:
    """A server on a port of its own until the end of the block."""
    state = GitHub()

    class Handler(_Handler):
        github = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    github: GitHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
        """Nothing: the tests look at the state instead."""

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self._answered_otherwise():
            return
        if self.path not in (
            f"/repos/{REPOSITORY}/code-scanning/sarifs",
            "/repositories/42/code-scanning/sarifs",
        ):
            self._say(404, {"message": "Not Found"})
            return
        try:
            body = json.loads(sent)
            packed = base64.b64decode(body["sarif"], validate=True)
            document = json.loads(gzip.decompress(packed))
        except (ValueError, KeyError, OSError):
            self._say(400, {"message": "Bad Request - The sarif field is not base64 of gzip"})
            return
        if body.get("commit_sha") != COMMIT or not body.get("ref", "").startswith("refs/"):
            self._say(422, {"message": "Invalid request", "errors": ["commit not found"]})
        elif len(packed) > 10_000_000:
            self._say(413, {"message": "Payload too big"})
        else:
            id_ = f"47177e22-5596-11eb-80a1-c1e54ef945c{len(self.github.uploads)}"
            self.github.uploads[id_] = {**body, "document": document}
            self._say(202, {"id": id_, "url": f"https://elsewhere.example/{id_}"})

    def do_GET(self) -> None:
        if self._answered_otherwise():
            return
        upload = self.github.uploads.get(self.path.rpartition("/")[2])
        if upload is None:
            self._say(404, {"message": "Not Found"})
        elif self.github.pending:
            self.github.pending -= 1
            self._say(200, {"processing_status": "pending"})
        elif problems := refusals(upload["document"]):
            self._say(200, {"processing_status": "failed", "errors": problems, "analyses_url": None})
        else:
            self._say(200, {"processing_status": "complete", "errors": None})

    def _answered_otherwise(self) -> bool:
        self.github.requests.append((self.command, self.path, dict(self.headers)))
        if self.github.next_answers:
            canned = self.github.next_answers.pop(0)
            self._send(canned.status, canned.body, canned.headers)
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._say(401, {"message": "Bad credentials"})
        else:
            return False
        return True

    def _say(self, status: int, data: object) -> None:
        self._send(status, json.dumps(data).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
