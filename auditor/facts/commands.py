"""Commands for a reader to fetch what is missing, with real names, quoted for a POSIX shell."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.model.inventory import ClusterEntry


def describe_cluster(entry: ClusterEntry) -> str:
    """Prints the cluster as the container API has it."""
    return (
        f"gcloud container clusters describe {quote(entry.short_name)} --location={quote(entry.location)}"
        f" --project={quote(entry.project)} --format=json"
    )


def describe_subnetwork(key: str) -> str:
    """Prints the subnetwork `projects/P/regions/R/subnetworks/S`."""
    parts = key.split("/")
    if len(parts) == 6 and parts[0] == "projects" and parts[2] == "regions":
        return (
            f"gcloud compute networks subnets describe {quote(parts[5])} --region={quote(parts[3])}"
            f" --project={quote(parts[1])} --format=json"
        )
    return f"gcloud compute networks subnets describe {quote(key)} --format=json"


def describe_network(key: str) -> str:
    """Prints the network `projects/P/global/networks/N`."""
    parts = key.split("/")
    if len(parts) == 5 and parts[0] == "projects":
        return f"gcloud compute networks describe {quote(parts[4])} --project={quote(parts[1])} --format=json"
    return f"gcloud compute networks describe {quote(key)} --format=json"


def describe_project(project: str) -> str:
    """Prints the project, with its number."""
    return f"gcloud projects describe {quote(project)} --format=json"


def masquerade_agent(entry: ClusterEntry) -> str:
    """Prints the ConfigMaps and DaemonSets of kube-system, with or without those of ip-masq-agent."""
    return f"{_credentials(entry)} && kubectl --namespace=kube-system get configmaps,daemonsets --output=json"


def egress_nat_policies(entry: ClusterEntry) -> str:
    """Prints every EgressNATPolicy of the cluster."""
    return f"{_credentials(entry)} && kubectl get egressnatpolicies.networking.gke.io --output=json"


def _credentials(entry: ClusterEntry) -> str:
    return (
        f"gcloud container clusters get-credentials {quote(entry.short_name)}"
        f" --location={quote(entry.location)} --project={quote(entry.project)}"
    )


def with_kubernetes(entry: ClusterEntry, command: str) -> str:
    """The command with its output kept, and the option that gives it to the next scan."""
    file = f"{entry.short_name}.json"
    cluster = f"{entry.project}/{entry.location}/{entry.short_name}={file}"
    return f"{command} > {quote(file)}, then scan with --kubernetes {quote(cluster)}"


def repair_agent_config(entry: ClusterEntry, namespace: str, name: str) -> str:
    """Opens the agent's ConfigMap in an editor."""
    return f"{_credentials(entry)} && kubectl --namespace={quote(namespace)} edit configmap {quote(name)}"


def describe_tag_value(namespaced: str) -> str:
    """Prints a secure tag's value, with its permanent name `tagValues/NUMBER`."""
    return f"gcloud resource-manager tags values describe {quote(namespaced)} --format=json"
