"""GKE versions as integers that compare the way releases follow each other."""

from __future__ import annotations

import re
from functools import lru_cache

Version = tuple[int, int, int, int]
"""Major, minor, patch and GKE build; parts that are not spelt out are 0."""

# At most 18 digits a part: beyond that it is no version, and int() of very long digits is refused anyway.
_VERSION = re.compile(
    r"v?([0-9]{1,18})\.([0-9]{1,18})(?:\.([0-9]{1,18}))?(?:-gke\.([0-9]{1,18}))?(?!-gke)(?:[-+~].*)?",
    re.DOTALL,
)


@lru_cache(maxsize=4096)
def parse_version(text: str) -> Version | None:
    """The version that `text` spells, None if it spells none.

    Accepts what the container API and kubelets print: `1.30.5-gke.1014001`, `v1.30.5-gke.1014001`, very old
    nodes' `1.4.6`, and suffixes after that (`1.31.0-gke.500-alpha`). The aliases of requests (`latest`, `-`,
    `1.X`) are not versions. Comparing the text, or `1.9` as a number, would put 1.9 after 1.15.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    major, minor, patch, build = match.groups()
    return int(major), int(minor), int(patch or 0), int(build or 0)
