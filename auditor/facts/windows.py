"""Which node pools run Windows Server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.facts.view import fault, message, text
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import WindowsPools

if TYPE_CHECKING:
    from auditor.facts.view import ClusterView, Object

_NO_OS_VERSION = ("", "OS_VERSION_UNSPECIFIED")


def derive(view: ClusterView) -> WindowsPools:
    """Told by the image type, and by the Windows version a pool asks for.

    `windowsNodeConfig` itself is sent as an empty object for Linux pools too, and Autopilot has no Windows
    pools to show (GKE documentation, 'Create a cluster using Windows Server node pools').
    """
    windows: list[str] = []
    evidence: list[Evidence] = []
    unknowns: list[Unknown] = []
    if view.pools is None:
        unknowns.append(Unknown("windows.pools", view.pools_problem, view.hint()))
    for position, pool in enumerate(view.shown_pools):
        found = None if pool.config is None else _windows(pool.config)
        if found is None:
            stated = pool.data.get("config")
            if isinstance(stated, dict):
                stated = [stated.get("imageType"), stated.get("windowsNodeConfig")]
            reason = f"The image type of node pool {pool.name} {fault(stated, 'is malformed')}."
            unknowns.append(Unknown("windows.pools", reason, view.hint()))
        elif found:
            windows.append(pool.name)
            field, value = found
            evidence.append(Evidence(view.asset, f"nodePools[{position}].config.{field}", value))
    # One pool that surely runs Windows is enough to know what matters; without one, all must be readable.
    known = windows or not unknowns
    return WindowsPools(tuple(windows) if known else None, tuple(evidence), tuple(unknowns))


def _windows(config: Object) -> tuple[str, str] | tuple[()] | None:
    """The field that says Windows and its value; empty if none does, None if one is malformed."""
    image = text(config, "imageType")
    if image and image.upper().startswith("WINDOWS"):
        return "imageType", image
    windows = message(config, "windowsNodeConfig")
    if windows == {} and image is not None:
        return ()
    version = None if windows is None else text(windows, "osVersion")
    if version is None or image is None:
        return None
    return () if version in _NO_OS_VERSION else ("windowsNodeConfig.osVersion", version)
