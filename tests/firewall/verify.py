"""A longer comparison of the firewall analysis with the simulator: `python -m tests.firewall.verify`.

Goes through seeds until the time is up, and prints each one that shows a disagreement. `--seed` starts
elsewhere; a single seed is repeated with `--seconds 0`.
"""

from __future__ import annotations

import argparse
import sys
import time
from random import Random
from typing import TYPE_CHECKING

from tests.firewall.adversary import concretise, obscure, organisation
from tests.firewall.comparison import contradictions, disagreements

if TYPE_CHECKING:
    from collections.abc import Iterator


def faults(seed: int) -> Iterator[str]:
    """Everything wrong with the answers about the seed's organisation."""
    random = Random(seed)  # noqa: S311
    subject = organisation(random)
    yield from disagreements(subject, random, limit=1500 if seed % 10 else 100_000)
    for text in contradictions(subject, concretise(random, subject), random, limit=300):
        yield f"made concrete: {text}"
    for text in contradictions(obscure(random, subject), subject, random, limit=300):
        yield f"garbled: {text}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="stop after this many seconds")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    end, seed, wrong = time.monotonic() + options.seconds, options.seed, 0
    while True:
        found = list(faults(seed))
        if found:
            wrong += 1
            print(f"seed {seed}: {len(found)} disagreements", *found[:5], sep="\n    ", flush=True)
        seed += 1
        if time.monotonic() >= end:
            break
    print(f"seeds {options.seed} to {seed - 1}: {wrong} with disagreements")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
