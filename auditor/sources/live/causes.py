"""Why a call failed and what mends it, in words for a gap."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.sources.live.calls import Call
    from auditor.sources.live.retry import CallError

_DISABLED = frozenset(("SERVICE_DISABLED", "API_DISABLED"))
_SHOWN = 300


def cause(call: Call, scope: str, error: CallError) -> tuple[str, str]:
    """Reason and remedy, for a call about a scope (`organizations/N`, `folders/N`, `projects/P`)."""
    told = said(error)
    if "requires a quota project" in error.message:
        # Google's own project of the credentials is then told to be the one without the API.
        return (
            f"the credentials name no quota project{told}",
            "name one with --quota-project, or `gcloud auth application-default set-quota-project PROJECT`",
        )
    if error.reason in _DISABLED or "has not been used in project" in error.message:
        service = error.service or "the API"
        project = error.consumer.removeprefix("projects/") or "PROJECT"
        return (
            f"the API {service} is disabled for project {project}{told}",
            (
                f"gcloud services enable {shlex.quote(error.service or 'SERVICE')} "
                f"--project={shlex.quote(project)}"
            ),
        )
    if error.reason == "USER_PROJECT_DENIED" or "serviceusage.services.use" in error.message:
        return (
            f"the quota project may not be used{told}",
            "grant roles/serviceusage.serviceUsageConsumer on it, or name another with --quota-project",
        )
    if error.code == "UNAUTHENTICATED":
        return (
            f"the credentials are not accepted{told}",
            "log in again with `gcloud auth application-default login`",
        )
    if error.code == "PERMISSION_DENIED":
        return (f"permission {call.permission} is missing on {scope}{told}", grant(call, scope))
    if error.code == "NOT_FOUND":
        return (f"{scope} is not found{told}", "check the name of the scope, and that you may see it")
    if error.code == "RESOURCE_EXHAUSTED":
        return (
            f"the quota was used up for as long as the call was tried again{told}",
            "collect again with a lower --rate, or name another project with --quota-project",
        )
    if not error.lasting:
        return (f"the call failed each time it was tried{told}", "collect again later")
    return (f"the call was refused with {error.code}{told}", "see the server's own words in the reason")


def said(error: CallError) -> str:
    """The status and the server's own words, as the end of a sentence."""
    words = " ".join(error.message.split())
    if len(words) > _SHOWN:
        words = f"{words[: _SHOWN - 3]}..."
    return f" ({error.code}: {words})" if words else f" ({error.code})"


def grant(call: Call, scope: str) -> str:
    """The command that grants what a call needs."""
    kind, _, name = scope.partition("/")
    command = {
        "organizations": "gcloud organizations",
        "folders": "gcloud resource-manager folders",
    }.get(kind, "gcloud projects")
    return f"{command} add-iam-policy-binding {shlex.quote(name)} --member=MEMBER --role={call.role}"
