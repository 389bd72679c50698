from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.names import canonical, last, path, project_of, region_of

NETWORK = "projects/p/global/networks/n"


@pytest.mark.parametrize(
    "spelling",
    [
        NETWORK,
        f"/{NETWORK}",
        f"//compute.googleapis.com/{NETWORK}",
        f"//compute.googleapis.com/{NETWORK}/",
        f"https://www.googleapis.com/compute/v1/{NETWORK}",
        f"https://www.googleapis.com/compute/beta/{NETWORK}",
        f"https://compute.googleapis.com/compute/v1/{NETWORK}",
        f"https://compute.googleapis.com/compute/alpha/{NETWORK}",
        f" https://www.googleapis.com/compute/v1/{NETWORK} ",
    ],
)
def test_every_spelling_of_a_network_has_one_canonical_form(spelling: str) -> None:
    assert canonical(spelling) == NETWORK


@pytest.mark.parametrize(
    "spelling",
    [
        "//container.googleapis.com/projects/p/zones/z/clusters/c",
        "//container.googleapis.com/projects/p/locations/z/clusters/c",
        "https://container.googleapis.com/v1/projects/p/zones/z/clusters/c",
        "https://container.googleapis.com/v1beta1/projects/p/locations/z/clusters/c",
    ],
)
def test_the_zone_and_the_location_of_a_cluster_are_one(spelling: str) -> None:
    assert canonical(spelling) == "projects/p/locations/z/clusters/c"


def test_a_node_pool_is_brought_to_the_location_of_its_cluster() -> None:
    name = "//container.googleapis.com/projects/p/zones/z/clusters/c/nodePools/n"
    assert canonical(name) == "projects/p/locations/z/clusters/c/nodePools/n"


def test_a_path_keeps_the_zone_of_a_cluster() -> None:
    link = "https://container.googleapis.com/v1/projects/p/zones/z/clusters/c"
    assert path(link) == "projects/p/zones/z/clusters/c"


def test_the_zone_of_anything_else_stays() -> None:
    name = "//compute.googleapis.com/projects/p/zones/z/instances/clusters"
    assert canonical(name) == "projects/p/zones/z/instances/clusters"


def test_a_project_whose_id_has_a_domain_is_kept_whole() -> None:
    assert project_of(canonical("//compute.googleapis.com/projects/example.com:p/global/networks/n")) == (
        "example.com:p"
    )


def test_a_host_of_someone_else_is_not_taken_for_google() -> None:
    assert canonical("https://example.com/compute/v1/projects/p/global/networks/n") != NETWORK


@given(st.text())
def test_canonical_takes_any_text_and_is_stable(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once or once.startswith(("http", "//"))
    assert project_of(once) in once
    assert last(once) in once


@pytest.mark.parametrize(
    ("location", "region"),
    [
        ("europe-west1-b", "europe-west1"),
        ("europe-west1", "europe-west1"),
        ("us-central1-f", "us-central1"),
        ("northamerica-northeast1-a", "northamerica-northeast1"),
        ("us-a", "us-a"),
        ("", ""),
    ],
)
def test_the_region_of_a_location(location: str, region: str) -> None:
    assert region_of(location) == region
