"""What was looked at, and hence what an absence means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditor.model import deferred
from auditor.model.extent import ANY as ANY
from auditor.model.extent import Extent
from auditor.model.inventory import CLUSTER, FIREWALL_POLICY, TAG_BINDING, Gap
from auditor.model.names import canonical, project_of
from auditor.sources import wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditor.sources.snapshot import Header

_NONE: frozenset[str] = frozenset()


@dataclass(slots=True)
class AssetCoverage:
    """Implements `model.inventory.Coverage`.

    `exported` are the types of which a plain export holds an asset, `held` those of which there is one at
    all, `listed` pairs of type and project that a gcloud list holds in full, `holes` what could not be read
    of a type and project (either may be `*`) and where, which outweighs all else. The gaps of a snapshot
    outweigh what a plain export seems to hold, and the user's word. `organizations` are those whose own asset
    is in a plain export.
    """

    scope: str
    complete: bool
    headers: tuple[Header, ...]
    exported: frozenset[str]
    held: frozenset[str]
    listed: frozenset[tuple[str, str]]
    organizations: frozenset[str]
    holes: Mapping[str, Mapping[str, str]]
    ancestors: Mapping[str, tuple[str, ...]]
    networks: frozenset[str] = field(default_factory=frozenset)
    _every_cluster: bool | None = None
    _by_cluster: dict[int, dict[str, frozenset[str]]] = field(default_factory=dict)

    def read(self, asset_type: str, project: str) -> bool:
        """Whether all assets of the type in the project (ID; empty: the whole organisation) were read."""
        if self.hole(asset_type, project) is not None:
            return False
        if (asset_type, project) in self.listed or any(
            self._holds(header, asset_type, project) for header in self.headers
        ):
            return True
        return (
            (self.complete and asset_type != TAG_BINDING) or asset_type in self.exported
        ) and not self._refused(asset_type, project)

    def hierarchy_read(self, project: str) -> bool:
        """Whether every policy of the folders and the organization above the project was read."""
        if self.hole(FIREWALL_POLICY, "") is not None:
            return False
        above = self.ancestors.get(project)
        root = above[-1] if above else ""
        if root and any(
            root in header.hierarchies or self._holds(header, FIREWALL_POLICY, project, root)
            for header in self.headers
        ):
            return True
        if self._refused(FIREWALL_POLICY, project):
            return False
        return self.complete or (root in self.organizations and FIREWALL_POLICY in self.exported)

    def every_cluster_read(self) -> bool:
        """Whether every cluster that may use the networks of this inventory was read."""
        if self._every_cluster is None:
            self._every_cluster = self._every_cluster_read()
        return self._every_cluster

    def _every_cluster_read(self) -> bool:
        if self.hole(CLUSTER, "") is not None or self._refused(CLUSTER, ""):
            return False
        if self.complete:
            return True
        roots = {self.ancestors.get(project, ("",))[-1] for project in self.networks}
        return bool(roots) and all(
            (root != "" and any(self._holds(header, CLUSTER, "", root) for header in self.headers))
            or (root in self.organizations and CLUSTER in self.exported)
            for root in roots
        )

    def why_not(self, asset_type: str, project: str) -> Gap:
        """The gap to name when `read` is False: reason and hint for a reader."""
        scope = f"projects/{project}" if project else self.scope
        noun = wording.noun(asset_type)
        place = self.hole(asset_type, project)
        if place is not None and deferred.is_about(place):
            return Gap(
                scope, asset_type, f"{place}, so that this {noun} may apply to any network", deferred.HINT
            )
        if place is not None:
            return Gap(
                scope,
                asset_type,
                f"{place} could not be read in full, and a {noun} may have been lost there",
                "see the gap about it; read that input from its source again",
            )
        for header in self.headers:
            for gap in header.gaps:
                if _about(gap, asset_type) and self._concerns(gap, project):
                    return Gap(scope, asset_type, gap.reason, gap.hint)
        above = self.ancestors.get(project, ())
        root = above[-1] if above and above[-1].startswith("organizations/") else ""
        if self.headers:
            reason = f"no snapshot given says that every {noun} of {scope} was read"
        elif asset_type in self.exported:
            # The type was read, but nothing says that all projects, folders and the organization were.
            return Gap(
                scope,
                asset_type,
                f"the input does not hold the asset of {root or 'the organization'} itself, and so may cover "
                "only a part of it",
                f"export the whole organization: `{wording.export(wording.USED, root)}`; or, if the input "
                "holds every asset of the organization, say so with --complete",
            )
        elif asset_type in self.held:
            where = f"project {project}" if project else "the organization"
            reason = f"nothing says that the input holds every {noun} of {where}"
        else:
            reason = f"the input holds no {noun}, and a type that is absent is not known to be empty"
        return wording.not_read(asset_type, scope, root, reason)

    def extent(self, asset_type: str, projects: Iterable[str]) -> Extent:
        """Where every asset of the type was read; `projects` are further projects (IDs) that are known.

        Unlike `read`, this does not take the type as read in a project of which a plain export holds nothing:
        the export may have been one of other projects.
        """
        known = {
            *projects,
            *self.ancestors,
            *(project for kind, project in self.listed if kind == asset_type),
        }
        places = [
            [
                "/".join(canonical(gap.scope).split("/", 2)[:2])
                for gap in header.gaps
                if _about(gap, asset_type)
            ]
            for header in self.headers
        ]
        lost = {place for found in places for place in found}
        unread = {project for kind in (asset_type, ANY) for project in self.holes.get(kind, ())}
        unread |= {project for project in known if self._lost_in(project, lost)}
        exported = self.complete or asset_type in self.exported
        read = {
            project
            for project in known - unread
            if exported
            or (asset_type, project) in self.listed
            or any(
                (asset_type in header.asset_types and self._covers(header, project))
                or self._listed(header, asset_type, project)
                for header in self.headers
            )
        }
        # A gap of a folder, or of a project by a number that nobody can resolve, may hide any project.
        tells = [all(self._names_project(place) for place in found) for found in places]
        scopes = {
            scope
            for header, whole in zip(self.headers, tells, strict=True)
            if whole and asset_type in header.asset_types
            for scope in header.scopes
        }
        if self.complete and all(tells):
            scopes |= self.organizations
        named = {project_of(place) for place in lost if place.startswith("projects/")}
        return Extent(
            self.complete and all(tells),
            frozenset(scopes),
            frozenset(read),
            frozenset(unread | named | (known - read)),
        )

    def _lost_in(self, project: str, lost: set[str]) -> bool:
        """Whether one of the places (`projects/P`, `folders/N`, …) holds the project, or is none of these."""
        if not lost:
            return False
        above = self.ancestors.get(project)
        if above is None:
            return any(not place.startswith("projects/") or project_of(place) == project for place in lost)
        return not lost.isdisjoint((f"projects/{project}", *above)) or any(
            not place.startswith(("projects/", "folders/", "organizations/")) for place in lost
        )

    def _names_project(self, place: str) -> bool:
        project = project_of(place)
        return project != "" and (
            not project.isdigit() or any(place in above for above in self.ancestors.values())
        )

    def hole(self, asset_type: str, project: str) -> str | None:
        """Where an asset of the type and project (empty: any project) may have been lost, if anywhere."""
        for kind in (asset_type, ANY):
            places = self.holes.get(kind)
            if places:
                if not project:
                    return min(places.values())
                place = places.get(project) or places.get(ANY)
                if place:
                    return place
        return None

    def lists_objects(self, asset_type: str, cluster: str) -> bool:
        """Whether a snapshot holds every Kubernetes object of the type that the cluster (by key) has."""
        project = project_of(cluster)
        return self.hole(asset_type, project) is None and any(
            (
                (asset_type in header.asset_types and self._covers(header, project))
                or asset_type in self._objects_listed(header).get(cluster, _NONE)
            )
            and not any(
                _about(gap, asset_type)
                and (
                    canonical(gap.scope) == cluster
                    if "/clusters/" in gap.scope
                    else self._concerns(gap, project)
                )
                for gap in header.gaps
            )
            for header in self.headers
        )

    def _objects_listed(self, header: Header) -> dict[str, frozenset[str]]:
        """The types of Kubernetes objects that a snapshot listed of each cluster (by key)."""
        found = self._by_cluster.get(id(header))
        if found is None:
            found = self._by_cluster[id(header)] = {
                canonical(scope): types for scope, types in header.listed if "/clusters/" in scope
            }
        return found

    def _holds(self, header: Header, asset_type: str, project: str, root: str = "") -> bool:
        """Whether a snapshot read the type in the project, or in the whole of `root` (`organizations/N`)."""
        return (
            (asset_type in header.asset_types and self._covers(header, project, root))
            or (bool(project) and not root and self._listed(header, asset_type, project))
        ) and not any(_about(gap, asset_type) and self._concerns(gap, project) for gap in header.gaps)

    def _listed(self, header: Header, asset_type: str, project: str) -> bool:
        """Whether a snapshot listed the type in the project although it lies outside its scopes."""
        wanted = {f"projects/{project}", *self.ancestors.get(project, ())}
        return any(asset_type in types and scope in wanted for scope, types in header.listed)

    def _refused(self, asset_type: str, project: str) -> bool:
        """Whether a snapshot says that it could not read the type in the project (empty: in any)."""
        return any(
            _about(gap, asset_type) and self._concerns(gap, project)
            for header in self.headers
            for gap in header.gaps
        )

    def _covers(self, header: Header, project: str, root: str = "") -> bool:
        """Whether the project (empty: a whole organization), or all of `root`, is in a snapshot's scopes."""
        if root:
            # A project outside any organization is its own root, by its number; a scope may say its ID.
            wanted = {root, f"projects/{project}"} if root.startswith("projects/") else {root}
        elif project:
            wanted = {f"projects/{project}", *self.ancestors.get(project, ())}
        else:
            wanted = {scope for scope in header.scopes if scope.startswith("organizations/")}
        return not wanted.isdisjoint(header.scopes)

    def _concerns(self, gap: Gap, project: str) -> bool:
        """Whether a snapshot's gap may be about the project (empty: about any)."""
        place = canonical(gap.scope)
        if not project or not place.startswith(("projects/", "folders/", "organizations/")):
            return True
        above = self.ancestors.get(project)
        if above is None:
            return not place.startswith("projects/") or project_of(place) == project
        return "/".join(place.split("/", 2)[:2]) in (f"projects/{project}", *above)


def _about(gap: Gap, asset_type: str) -> bool:
    """Whether a gap is about the type; one that names no type may hide assets of any."""
    return gap.asset_type is None or gap.asset_type == asset_type
