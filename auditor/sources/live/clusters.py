"""What the Kubernetes Engine API itself says, where Cloud Asset Inventory is behind or says less.

Cloud Asset Inventory is the base of a snapshot: one reading, at one time. It can lag behind the API, and an
asset can come without content. So ListClusters is asked once for each project that has a cluster (and for
each project that is a scope), but not for each of more than `MANY` projects, unless that is wanted: then only
for those with a cluster that comes without what every cluster has. And

- a cluster that Cloud Asset Inventory does not have, or has without data, is taken from the API, unless it
  was created after the snapshot's read time;
- a cluster whose `etag` (the API's own checksum of its fields) differs is taken from the API: the inventory
  is behind;
- fields in `LACKING` that the inventory's version does not state are filled in.

All else stays as Cloud Asset Inventory has it. `missing_zones` of an answer is a gap. GetServerConfig is
never called: what versions a location offers enters no verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import orjson

from auditor.model.inventory import CLUSTER, NODE_POOL, Gap
from auditor.model.names import canonical, path, project_of
from auditor.sources import parse, wording
from auditor.sources.live import calls, causes, keep
from auditor.sources.live.decode import Line, encoded
from auditor.sources.live.retry import CallError
from auditor.sources.live.workers import each

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditor.sources.live.retry import Caller
    from auditor.sources.live.state import State

Object = dict[str, Any]

LACKING = (
    "autopilot",
    "clusterIpv4Cidr",
    "controlPlaneEndpointsConfig",
    "currentMasterVersion",
    "endpoint",
    "id",
    "ipAllocationPolicy",
    "networkConfig",
    "nodePools",
    "privateClusterConfig",
    "status",
)
"""The fields that are filled in: those that facts need, and those that say where a cluster can be asked."""

ESSENTIAL = ("currentMasterVersion", "networkConfig", "status")
"""The fields without which a cluster's asset is taken for incomplete."""

MANY = 500
"""For how many projects the comparison is made as a matter of course: a call each, of a quota of 3,000."""

_AT_ONCE = 8


@dataclass(slots=True)
class ClusterLister:
    """Asks the Kubernetes Engine API for the clusters of projects; `stop` ends the whole collection.

    `always`: of however many projects. `certificates`: the authority of a cluster is needed too. `note` tells
    what was left out.
    """

    client: Any
    caller: Caller
    state: State
    emulated: bool
    always: bool
    certificates: bool
    progress: Callable[[str], None]
    stop: Callable[[], None]
    gaps: list[Gap] = field(default_factory=list)
    note: str = ""
    _unreachable: CallError | None = None

    def run(self, scopes: Sequence[str]) -> None:
        """Ask, and bring what is kept up to date. `StoppedError` when interrupted."""
        known, pooled, numbers = self._known()
        populated = {project_of(key) for key in known}
        projects = sorted(populated)
        if len(projects) > MANY and not self.always:
            projects = sorted({project_of(key) for key, one in known.items() if one["incomplete"]})
            self.note = (
                f"{len(populated) - len(projects):,} projects are not compared with the Kubernetes Engine "
                "API; --cluster-api=always does"
            )
        for scope in scopes:
            if scope.startswith("projects/"):
                name = scope.removeprefix("projects/")
                if numbers.get(name, name) not in projects:
                    projects.append(numbers.get(name, name))
        refused: dict[tuple[str, str], list[str]] = {}
        for project, answer in each(self._ask, projects, _AT_ONCE, self.stop):
            if isinstance(answer, CallError):
                self._refused(project, answer, refused, has_clusters=project in populated)
            elif answer is not None:
                self._take(project, answer, known, pooled)
        for (reason, hint), of in sorted(refused.items()):
            self.gaps.append(
                Gap(
                    f"projects/{of[0]}" if len(of) == 1 else ", ".join(scopes),
                    CLUSTER,
                    f"whether Cloud Asset Inventory is up to date about the clusters of "
                    f"{wording.count(len(of), 'project')} ({wording.some(of)}) could not be checked: "
                    f"{reason}",
                    f"{hint}; or leave the check out with --cluster-api=never",
                )
            )

    def _known(self) -> tuple[dict[str, Object], set[str], dict[str, str]]:
        """The clusters in the state by key, which have pools as assets, and project IDs by number."""
        known: dict[str, Object] = {}
        trusted = self.state.certificates() if self.certificates else {}
        numbers: dict[str, str] = {}
        for _, body in self.state.bodies(CLUSTER):
            asset = orjson.loads(body)
            key = canonical(asset["name"])
            data = (asset.get("resource") or {}).get("data")
            known[key] = {
                "name": asset["name"],
                "etag": (data or {}).get("etag"),
                "incomplete": data is None
                or any(one not in data for one in ESSENTIAL)
                or (self.certificates and asset["name"] not in trusted),
                "lacks": None if data is None else frozenset(one for one in LACKING if one not in data),
            }
            above = asset.get("ancestors") or [""]
            numbers[above[0].removeprefix("projects/")] = project_of(key)
        pooled = {
            canonical(orjson.loads(body)["name"]).partition("/nodePools/")[0]
            for _, body in self.state.bodies(NODE_POOL)
        }
        return known, pooled, numbers

    def _ask(self, project: str) -> Any:
        """The answer for a project, the error, or None if there is nothing to answer."""
        if self._unreachable is not None:
            return self._unreachable
        self.progress(f"clusters of projects/{project}")
        request = {"parent": f"projects/{project}/locations/-"}
        try:
            return self.caller(
                lambda seconds: self.client.list_clusters(request=request, retry=None, timeout=seconds)
            )
        except CallError as error:
            if error.code == "UNIMPLEMENTED" and self.emulated:
                # An emulator of Cloud Asset Inventory alone.
                return None
            if not error.lasting and not self.caller.answered:
                # Nobody is there; the other projects need not wait for as long.
                self._unreachable = error
            return error

    def _refused(
        self,
        project: str,
        error: CallError,
        refused: dict[tuple[str, str], list[str]],
        *,
        has_clusters: bool,
    ) -> None:
        reason, hint = causes.cause(calls.LIST_CLUSTERS, f"projects/{project}", error)
        if error.reason == "SERVICE_DISABLED" and not has_clusters:
            # Where the API is off there are no clusters.
            return
        if error.code == "PERMISSION_DENIED" and error.reason != "SERVICE_DISABLED":
            # One gap for all projects, whose messages differ in the project alone.
            reason = f"permission {calls.LIST_CLUSTERS.permission} is missing"
            hint = f"grant {calls.LIST_CLUSTERS.role} to whoever collects"
        refused.setdefault((reason, hint), []).append(project)

    def _take(self, project: str, answer: Any, known: dict[str, Object], pooled: set[str]) -> None:
        from google.protobuf import json_format

        message = type(answer).pb(answer)
        zones = sorted(message.missing_zones)
        if zones:
            self.gaps.append(
                Gap(
                    f"projects/{project}",
                    CLUSTER,
                    f"the Kubernetes Engine API did not hear from the zones {', '.join(zones)}: clusters "
                    "there may be missing or out of date",
                    "collect again when the zones answer",
                )
            )
        lines: list[Line] = []
        for one in message.clusters:
            data = json_format.MessageToDict(one)
            name = _full_name(project, data)
            certificate = one.master_auth.cluster_ca_certificate
            kept = keep.pruned(data, keep.of_message("Cluster"))
            line = self._line(name, kept, known.get(canonical(name)), pooled=canonical(name) in pooled)
            if line is not None:
                lines.append(line)
            if certificate:
                stated = known.get(canonical(name))
                self.state.keep_certificate(str(stated["name"]) if stated else name, certificate)
        if lines:
            self.state.replace(lines)

    def _line(self, name: str, data: Object, stated: Object | None, *, pooled: bool) -> Line | None:
        """The cluster's line from the API's data, None if what is there stands."""
        if stated is None:
            created = parse.instant(str(data.get("createTime") or ""))
            read = parse.instant(self.state.read_time)
            if created is not None and read is not None and created > read:
                return None
            return self._written({"name": name, "assetType": CLUSTER}, data)
        etag, theirs = stated["etag"], data.get("etag")
        behind = stated["lacks"] is None or bool(etag and theirs and etag != theirs)
        fills = [one for one in stated["lacks"] or () if one in data and not (one == "nodePools" and pooled)]
        if not behind and not fills:
            return None
        asset = orjson.loads(cast("bytes", self.state.body(str(stated["name"]))))
        if behind:
            return self._written(asset, data)
        asset["resource"]["data"].update({one: data[one] for one in fills})
        return Line(asset["name"], CLUSTER, encoded(asset), "")

    def _written(self, asset: Object, data: Object) -> Line:
        asset.setdefault("resource", {"version": "v1", "discoveryName": "Cluster"})["data"] = data
        # Newer than any asset of the snapshot, such as the cluster's own node pools.
        asset["updateTime"] = self.state.read_time
        if "ancestors" not in asset:
            above = self.state.ancestors(project_of(canonical(asset["name"])))
            if above:
                asset["ancestors"] = above
        return Line(asset["name"], CLUSTER, encoded(asset), "")


def _full_name(project: str, data: Object) -> str:
    link = data.get("selfLink")
    if isinstance(link, str) and "/clusters/" in link:
        return f"//{calls.CONTAINER_HOST}/{path(link)}"
    location = data.get("location") or data.get("zone") or "-"
    return f"//{calls.CONTAINER_HOST}/projects/{project}/locations/{location}/clusters/{data.get('name')}"
