"""Where every asset of a type was read, so that one that is not there does not exist."""

from __future__ import annotations

from auditor.model.record import record

ANY = "*"
"""In `Extent.unread`: some place that is not known."""


@record
class Extent:
    """Where every asset of one type was read.

    `projects` are the project IDs that were read in full; `unread` those known projects that were not, and
    `*` if something was lost that may be anywhere. `scopes` are hierarchies (`organizations/N`,
    `folders/N`, `projects/P`) of which everything was read but `unread`. `everywhere` is the user's word
    that the whole organisation was.
    """

    everywhere: bool = False
    scopes: frozenset[str] = frozenset()
    projects: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()

    def covers(self, project: str, scope: str) -> bool:
        """Whether an asset of the project would have been read if it existed.

        `scope` is what an earlier scan that saw the project was about: of a project that has vanished from a
        hierarchy, only a scan of that same hierarchy can tell.
        """
        if ANY in self.unread or project in self.unread:
            return False
        if project in self.projects:
            return True
        then = frozenset(scope.split(", "))
        if self.everywhere:
            return not self.scopes or not _hierarchical(then) or then <= self.scopes
        return then <= self.scopes


def _hierarchical(scopes: frozenset[str]) -> bool:
    return all(scope.startswith(("organizations/", "folders/")) for scope in scopes)
