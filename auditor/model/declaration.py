"""Where a resource is declared: blocks of Terraform configuration, and resources of a Terraform plan."""

from __future__ import annotations

from typing import Literal

from auditor.model.record import record

Certainty = Literal["state", "configuration", "candidate", "plan"]


@record
class Declaration:
    """One place that declares an asset, or may.

    `asset` is the full resource name of what is declared (a cluster, a subnetwork, a firewall rule),
    `address` that of the Terraform resource. `certainty` says what ties the two together: `state`, a
    Terraform state or plan that names the resource; `configuration`, arguments that leave no other;
    `candidate`, one of several blocks that may declare it, or one of which an argument is not known; `plan`,
    a plan or state alone, without a block. `file` is a path as the user would type it, empty without a block;
    lines count from 1, the last one included. `action` is what a plan does (`create`, `update`, `replace`),
    else empty. `fix` is a unified diff that mends a finding, empty where there is none to offer.
    """

    asset: str
    address: str
    certainty: Certainty
    file: str = ""
    start_line: int = 0
    end_line: int = 0
    action: str = ""
    fix: str = ""
