"""Resource names of Google Cloud: full resource names, URLs and partial URLs brought to one spelling."""

from __future__ import annotations

import re

_API_HOST = re.compile(
    r"(?:https?:)?//(?:www\.googleapis\.com/(?:compute|container|networksecurity)|"
    r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.googleapis\.com(?:/(?:compute|container|networksecurity))?)"
    r"/(?:(?:v\d+(?:(?:alpha|beta)\d*)?|alpha|beta)/)?"
)
_COMPUTE = "//compute.googleapis.com/projects/"
_ZONE = re.compile(r".+-.+-[a-z]")


def path(reference: str) -> str:
    """A reference without host and API version, and else as it was written, e.g. `projects/P/zones/Z/…`."""
    text = reference.strip()
    host = _API_HOST.match(text)
    return (text[host.end() :] if host else text).strip("/")


def canonical(reference: str) -> str:
    """A reference without host and API version, e.g. `projects/P/global/networks/N`.

    Accepts a full resource name (`//compute.googleapis.com/…`), a URL of any API version, or a partial URL.
    `zones/` before a cluster becomes `locations/`, since both name the same thing. Project numbers stay as
    they are: the inventory knows which project they mean.
    """
    if reference.startswith(_COMPUTE) and reference[-1] not in "/ \t\r\n":
        return reference[len(_COMPUTE) - 9 :]
    text = path(reference)
    if "/clusters/" in text:
        parts = text.split("/", 5)
        if len(parts) == 6 and parts[0] == "projects" and parts[2] == "zones" and parts[4] == "clusters":
            parts[2] = "locations"
            return "/".join(parts)
    return text


def project_of(reference: str) -> str:
    """The project (ID or number) in a canonical reference; empty if there is none."""
    parts = reference.split("/", 2)
    return parts[1] if len(parts) > 1 and parts[0] == "projects" else ""


def last(reference: str) -> str:
    """The last part of a reference: the resource's own name."""
    return reference.rsplit("/", 1)[-1]


def region_of(location: str) -> str:
    """The region of a zone or region name: `europe-west1` for `europe-west1-b` and for itself."""
    return location[:-2] if _ZONE.fullmatch(location) else location
