"""`python -m auditor` and the `gke-auditor` command."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line. `--version` is answered here, before anything heavy is imported."""
    if sys.argv[1:] == ["--version"]:
        from auditor import __version__

        sys.stdout.write(f"gke-auditor {__version__}\n")
        return
    # A scan makes millions of small objects that live to its end, and hardly a cycle among them: the cyclic
    # collector would go over all of them again and again, and free nothing.
    gc.disable()
    from auditor.cli import cli

    cli()


if __name__ == "__main__":
    main()
