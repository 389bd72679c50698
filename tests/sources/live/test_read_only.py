"""Nothing is ever written to the cloud: what can be called is listed, and all that is listed reads."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.asset_v1.services.asset_service.transports import rest_base as asset_rest
from google.cloud.container_v1.services.cluster_manager.transports import rest_base as container_rest

import auditor
from auditor.sources.live import calls
from auditor.sources.live.endpoints import Access, emulators

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sources.live.emulator import Emulator

READS = {
    "/google.cloud.asset.v1.AssetService/ListAssets",
    "/google.cloud.asset.v1.AssetService/SearchAllResources",
    "/google.container.v1.ClusterManager/ListClusters",
}


def test_the_list_is_this_and_no_other() -> None:
    assert set(calls.GRPC) == READS
    assert {call.name for call in calls.HTTP} == {
        r"/api/v1/namespaces/kube-system/configmaps/[^/?]+",
        r"/apis/apps/v1/namespaces/kube-system/daemonsets(\?continue=[^&]+)?",
        r"/apis/networking\.gke\.io/v1/egressnatpolicies(\?continue=[^&]+)?",
        r"/compute/v1/projects/[^/?]+/global/networks/[^/?]+/getEffectiveFirewalls",
        r"/compute/v1/projects/[^/?]+/regions/[^/?]+/firewallPolicies/getEffectiveFirewalls\?network=[^&]+",
    }


@pytest.mark.parametrize("name", sorted(READS))
def test_google_itself_maps_each_to_an_http_get(name: str) -> None:
    service, _, method = name.removeprefix("/").rpartition("/")
    base = {
        "google.cloud.asset.v1.AssetService": asset_rest._BaseAssetServiceRestTransport,
        "google.container.v1.ClusterManager": container_rest._BaseClusterManagerRestTransport,
    }[service]
    options = getattr(base, f"_Base{method}")._get_http_options()
    assert options
    assert {one["method"] for one in options} == {"get"}
    assert not any("body" in one for one in options)


def methods(client: Any) -> Iterator[str]:
    """The names of the client's methods, as the transport has them."""
    for name in dir(type(client.transport)):
        if isinstance(getattr(type(client.transport), name), property) and not name.startswith("_"):
            yield name


@pytest.mark.parametrize("api", ["assets", "clusters"])
def test_the_clients_refuse_every_other_call_before_it_is_sent(emulator: Emulator, api: str) -> None:
    access = Access(emulators())
    client = getattr(access, api)()
    refused = 0
    for name in methods(client):
        if name in ("kind", "grpc_channel", "operations_client", "host"):
            continue
        stub = getattr(client.transport, name)
        if name in ("list_assets", "search_all_resources") or (api, name) == ("clusters", "list_clusters"):
            continue
        with pytest.raises(calls.ForbiddenCallError):
            stub({})
        refused += 1
    access.close()
    assert refused > 15
    assert emulator.requests == []


def test_operations_too_are_refused(emulator: Emulator) -> None:
    access = Access(emulators())
    with pytest.raises(calls.ForbiddenCallError):
        access.assets().transport.operations_client.get_operation("x")
    access.close()


def test_nothing_else_in_the_package_speaks_to_a_network() -> None:
    """Sessions and channels are made in these modules; all else goes through what they let pass.

    `upload.py` sends reports to GitHub, and knows nothing of Google Cloud.
    """
    package = Path(auditor.__file__).parent
    makers = re.compile(
        r"\b(requests\.(get|post|put|patch|delete|request|Session)|urlopen|http\.client|AuthorizedSession|socket\.(socket|create_connection))"
    )
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        imported = {
            alias.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {
            (node.module or "").partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
        }
        used = imported & {
            "grpc",
            "requests",
            "urllib",
            "urllib3",
            "http",
            "aiohttp",
            "httpx",
            "ftplib",
            "smtplib",
        }
        if used - {"urllib"} or makers.search(source):
            found[path.relative_to(package).as_posix()] = used
    assert set(found) == {
        "sources/live/channel.py",
        "sources/live/endpoints.py",
        "sources/live/http.py",
        "upload.py",
    }
    assert "googleapis" not in (package / "upload.py").read_text(encoding="utf-8")
