"""One listing of Cloud Asset Inventory, page by page, to its end or to a gap."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditor.model.inventory import Gap
from auditor.sources import wording
from auditor.sources.live import calls, causes
from auditor.sources.live.decode import MalformedError
from auditor.sources.live.retry import CallError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from auditor.sources.live.decode import Line, Page
    from auditor.sources.live.retry import Caller
    from auditor.sources.live.state import State

PAGE = 1000
"""Assets asked for in one call, the most that the API allows."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed: asset types of a scope; of what comes, only assets that `accepts` takes are kept."""

    scope: str
    asset_types: tuple[str, ...]
    purpose: str = ""
    accepts: Callable[[str], bool] | None = None

    @property
    def key(self) -> str:
        """What it is called in the state of a collection."""
        return " ".join((self.scope, self.purpose, *self.asset_types))


@dataclass(slots=True)
class Lister:
    """Runs listings; threads share it.

    `complete` are the pairs of scope and asset type that were listed to their end, `gaps` what was not,
    `failures` the errors behind these. `read_any` tells whether any page came; `unreachable` is the failure
    after which nothing else is tried, since the API has never answered.
    """

    client: Any
    caller: Caller
    state: State
    decoding: threading.Lock
    certificates: bool
    progress: Callable[[int, int, str], None]
    complete: set[tuple[str, str]] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)
    failures: list[tuple[str, CallError]] = field(default_factory=list)
    read_any: bool = False
    unreachable: CallError | None = None
    assets: int = 0
    pages: int = 0

    def run(self, listing: Listing) -> None:
        """List to the end, or record the gap. Raises `StoppedError` when the collection is interrupted."""
        cursor = self.state.cursor(listing.key)
        if cursor.done:
            self._completed(listing)
            return
        if self.unreachable is not None:
            self._failed(listing, self.unreachable)
            return
        token, expired = cursor.token, False
        while True:
            try:
                following, new = self.caller(
                    lambda seconds, token=token: self._ask(listing, token, seconds)  # type: ignore[misc]
                )
            except CallError as error:
                if token and error.code in _EXPIRED:
                    if expired:
                        self._expired_again(listing, error)
                        return
                    expired = True
                    token = ""
                    self.state.restart(listing.key)
                    continue
                self._failed(listing, error)
                return
            except MalformedError as error:
                self._failed(listing, CallError("DATA_LOSS", str(error)))
                return
            if not following:
                self._completed(listing)
                return
            if following == token and not new:
                self._failed(listing, CallError("DATA_LOSS", "the server answers with one page for ever"))
                return
            token = following

    def _ask(self, listing: Listing, token: str, seconds: float) -> tuple[str, int]:
        """Get a page and keep it: the token of the next one, and how many assets are new."""
        from google.cloud import asset_v1

        request = asset_v1.ListAssetsRequest(
            parent=listing.scope,
            asset_types=listing.asset_types,
            content_type=asset_v1.ContentType.RESOURCE,
            page_size=PAGE,
            page_token=token,
            read_time=datetime.fromisoformat(self.state.read_time),
        )
        pager = self.client.list_assets(request=request, retry=None, timeout=seconds)
        page: Page = next(pager.pages)
        with self.decoding:
            # One at a time: side by side they would not be faster, only in memory together.
            return page.next_page_token, self._keep(listing, page)

    def _keep(self, listing: Listing, page: Page) -> int:
        lines: list[Line] = [
            line
            for line in page.lines(certificates=self.certificates)
            if listing.accepts is None or listing.accepts(line.name)
        ]
        new = self.state.page(listing.key, lines, page.next_page_token)
        self.read_any = True
        self.assets += new
        self.pages += 1
        types = ", ".join(one.rpartition("/")[2] for one in listing.asset_types)
        self.progress(self.assets, self.pages, f"{types} of {listing.scope}")
        return new

    def _completed(self, listing: Listing) -> None:
        self.read_any = True
        self.complete.update((listing.scope, one) for one in listing.asset_types)

    def _failed(self, listing: Listing, error: CallError) -> None:
        if len(listing.asset_types) > 1 and (error.lasting or self.caller.answered):
            # Which of the types is at fault, only asking for each alone tells.
            for one in listing.asset_types:
                self.run(Listing(listing.scope, (one,), listing.purpose, listing.accepts))
            return
        if not error.lasting and not self.caller.answered:
            self.unreachable = error
        self.failures.append((listing.scope, error))
        reason, hint = causes.cause(calls.LIST_ASSETS, listing.scope, error)
        self._gap(listing, reason, hint)

    def _expired_again(self, listing: Listing, error: CallError) -> None:
        self.failures.append((listing.scope, error))
        self._gap(
            listing,
            f"the list was cut off twice, since the server took its page token for expired"
            f"{causes.said(error)}",
            "collect again, at a time when the organization changes less",
        )

    def _gap(self, listing: Listing, reason: str, hint: str) -> None:
        for one in listing.asset_types:
            if listing.accepts is None:
                told = f"not every {wording.noun(one)} ({one}) could be listed: {reason}"
                self.gaps.append(Gap(listing.scope, one, told, hint))
            else:
                # Not about the type: what the projects below have of it was listed there.
                told = (
                    f"what {listing.scope} and the folders below it have of their own of {one} could not be "
                    f"listed: {reason}"
                )
                self.gaps.append(Gap(listing.scope, None, told, hint))


_EXPIRED = frozenset(("INVALID_ARGUMENT", "OUT_OF_RANGE", "FAILED_PRECONDITION"))
"""What the API answers to a page token that it no longer takes; a wrong type is refused on the first page."""
