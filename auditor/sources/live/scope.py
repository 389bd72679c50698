"""Live scopes: what a SOURCE such as `organizations/123` names."""

from __future__ import annotations

import os
import re

from auditor.errors import SourceError

_SCOPE = re.compile(r"(organizations|folders|projects)/([^/]*)")
_NUMBER = re.compile(r"[0-9]{1,20}")
_PROJECT = re.compile(r"(?:[a-z0-9.-]{1,62}:)?[a-z][a-z0-9-]{0,61}[a-z0-9]")


def is_live(source: str) -> bool:
    """Whether a SOURCE names a live scope and no file or folder that is there."""
    return _SCOPE.fullmatch(source) is not None and not os.path.lexists(source)


def checked(source: str) -> str:
    """A scope as Cloud Asset Inventory takes it. `SourceError` if it is none."""
    match = _SCOPE.fullmatch(source)
    if match is None:
        raise SourceError(
            "is no scope",
            hint="give organizations/NUMBER, folders/NUMBER, projects/ID or projects/NUMBER",
            place=source,
        )
    kind, name = match[1], match[2]
    if _NUMBER.fullmatch(name) or (kind == "projects" and _PROJECT.fullmatch(name)):
        return source
    if kind == "projects":
        raise SourceError(
            "is no project: an ID has lower-case letters, digits and hyphens",
            hint="`gcloud projects list` shows IDs and numbers",
            place=source,
        )
    raise SourceError(
        f"is no scope: {kind} are named by their numbers",
        hint="`gcloud organizations list` and `gcloud resource-manager folders list` show them",
        place=source,
    )
