"""A failed call is told with its cause and with what mends it."""

from __future__ import annotations

import pytest

from auditor.sources.live import calls
from auditor.sources.live.causes import cause, grant
from auditor.sources.live.retry import CallError


@pytest.mark.parametrize(
    ("error", "reason", "hint"),
    [
        (
            CallError("PERMISSION_DENIED", "denied"),
            "permission cloudasset.assets.listResource is missing on folders/5",
            (
                "gcloud resource-manager folders add-iam-policy-binding 5 --member=MEMBER "
                "--role=roles/cloudasset.viewer"
            ),
        ),
        (
            CallError(
                "PERMISSION_DENIED",
                "disabled",
                reason="SERVICE_DISABLED",
                service="cloudasset.googleapis.com",
                consumer="projects/77",
            ),
            "the API cloudasset.googleapis.com is disabled for project 77",
            "gcloud services enable cloudasset.googleapis.com --project=77",
        ),
        (
            CallError(
                "PERMISSION_DENIED",
                "The cloudasset.googleapis.com API requires a quota project, which is not set by default.",
                reason="SERVICE_DISABLED",
                consumer="projects/764086051850",
            ),
            "the credentials name no quota project",
            "--quota-project",
        ),
        (
            CallError("PERMISSION_DENIED", "no serviceusage.services.use", reason="USER_PROJECT_DENIED"),
            "the quota project may not be used",
            "roles/serviceusage.serviceUsageConsumer",
        ),
        (CallError("UNAUTHENTICATED", ""), "not accepted", "gcloud auth application-default login"),
        (CallError("NOT_FOUND", ""), "folders/5 is not found", "check the name"),
        (CallError("RESOURCE_EXHAUSTED", "quota"), "quota was used up", "--rate"),
        (CallError("UNAVAILABLE", "later"), "each time it was tried (UNAVAILABLE: later)", "later"),
        (
            CallError("INVALID_ARGUMENT", "odd"),
            "refused with INVALID_ARGUMENT (INVALID_ARGUMENT: odd)",
            "words",
        ),
    ],
)
def test_each_cause_has_its_remedy(error: CallError, reason: str, hint: str) -> None:
    told, remedy = cause(calls.LIST_ASSETS, "folders/5", error)
    assert reason in told
    assert hint in remedy


def test_the_servers_words_are_one_short_line() -> None:
    told, _ = cause(calls.LIST_ASSETS, "folders/5", CallError("INTERNAL", "a\n\tb" + "x" * 1000))
    assert "a b" in told
    assert "\n" not in told
    assert len(told) < 500


def test_what_a_server_names_is_quoted_in_a_command() -> None:
    error = CallError(
        "PERMISSION_DENIED", "", reason="SERVICE_DISABLED", service="s", consumer="projects/a;b"
    )
    assert cause(calls.LIST_ASSETS, "folders/5", error)[1].endswith("--project='a;b'")
    assert grant(calls.LIST_CLUSTERS, "projects/p") == (
        "gcloud projects add-iam-policy-binding p --member=MEMBER --role=roles/container.clusterViewer"
    )
