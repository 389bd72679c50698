"""Effective firewalls of networks whose policies could not be read: the Compute API's own answer.

Opt-in. The answer names every policy that bears on a network, those of the organization and the folders above
it included, to callers who may not read these themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from auditor.model.inventory import FIREWALL_POLICY, Gap
from auditor.model.names import project_of
from auditor.sources.live import calls, causes
from auditor.sources.live.decode import encoded
from auditor.sources.live.http import Deadline, FetchError, Reader
from auditor.sources.live.workers import each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SECONDS = 120.0
_AT_ONCE = 8
_KEPT = ("firewalls", "firewallPolicys", "firewallPolicies")


@dataclass(slots=True)
class EffectiveReader:
    """Asks for the effective firewalls of networks; `stop` ends the whole collection."""

    base: str
    token: Callable[[], str]
    emulated: bool
    stop: Callable[[], None]
    progress: Callable[[str], None]
    gaps: list[Gap] = field(default_factory=list)

    def run(self, networks: Iterable[tuple[str, str]]) -> list[bytes]:
        """Lines of a snapshot, for pairs of a network (canonical) and a region (empty: the global answer)."""
        wanted = sorted(networks)
        answers = each(self._network, wanted, _AT_ONCE, self.stop)
        return [line for _, line in answers if line is not None]

    def _network(self, wanted: tuple[str, str]) -> bytes | None:
        network, region = wanted
        project = project_of(network)
        self.progress(f"effective firewalls of {network}")
        call, path = calls.NETWORK_FIREWALLS, f"/compute/v1/{network}/getEffectiveFirewalls"
        if region:
            call = calls.REGION_FIREWALLS
            link = quote(f"https://www.googleapis.com/compute/v1/{network}", safe="")
            path = (
                f"/compute/v1/projects/{project}/regions/{region}/firewallPolicies/getEffectiveFirewalls"
                f"?network={link}"
            )
        reader = Reader(self.base, self.token, proxies=not self.emulated)
        try:
            value = _parsed(reader.get(path, Deadline.after(_SECONDS)))
        except FetchError as error:
            hint = "collect again later"
            if error.status in (401, 403):
                hint = f"{causes.grant(call, f'projects/{project}')}: it has {call.permission}"
            self.gaps.append(
                Gap(
                    f"//{calls.COMPUTE_HOST}/{network}",
                    FIREWALL_POLICY,
                    f"the effective firewalls{f' in {region}' if region else ''} could not be read: {error}",
                    hint,
                )
            )
            return None
        finally:
            reader.close()
        answer: dict[str, Any] = {key: value[key] for key in _KEPT if key in value}
        answer.setdefault("firewalls", [])
        return encoded({**answer, "network": network, "region": region})


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise FetchError("the answer is no JSON") from error
    if not isinstance(value, dict) or not any(key in value for key in _KEPT):
        raise FetchError("the answer holds no firewalls")
    return value
