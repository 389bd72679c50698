"""`python -m auditor` and the `gke-auditor` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. `--version` is answered here, before anything heavy is imported."""
    if sys.argv[1:] == ["--version"]:
        from auditor import __version__

        sys.stdout.write(f"gke-auditor {__version__}\n")
        return
    from auditor.cli import cli

    cli()


if __name__ == "__main__":
    main()
