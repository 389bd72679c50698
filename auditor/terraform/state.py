"""What `terraform show -json` says of which address declares which resource."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from auditor.errors import SourceError
from auditor.sources.terraform import document
from auditor.sources.terraform.identity import KINDS, Identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PRINT = "print it: terraform show -json > state.json"


def references(files: Sequence[str], numbers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Canonical reference and address of each resource in the files.

    `numbers` are project IDs by number. Raises SourceError for a file that is not what `terraform show -json`
    prints.
    """
    for file in files:
        try:
            value = orjson.loads(Path(file).read_bytes())
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise SourceError(f"cannot be read as JSON: {why}", hint=_PRINT, place=file) from error
        if not isinstance(value, dict) or not document.is_document(value):
            raise SourceError("is no Terraform state in JSON", hint=_PRINT, place=file)
        plan = document.read(value, file)
        identity = Identity(plan, numbers)
        for change in plan.changes:
            if change.type in KINDS and change.type not in _PARTS and (change.after or change.before):
                values = None if change.after is not None else change.before
                yield identity.key(change, values), change.address


_PARTS = {kind for kind in KINDS if kind.endswith(("_policy_rule", "_policy_association"))}
