"""`python -m auditor` and the `gke-auditor` command."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line. `--version` is answered here, before anything heavy is imported."""
    if sys.argv[1:] == ["--version"]:
        from auditor import __version__

        sys.stdout.write(f"gke-auditor {__version__}\n")
        return
    # Whoever started the program may have closed them, and wants nothing of what is printed.
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: PTH123, SIM115
    # A scan makes millions of small objects that live to its end, and hardly a cycle among them: the cyclic
    # collector would go over all of them again and again, and free nothing.
    gc.disable()
    from auditor.cli import run

    kept: list[object] = []
    code = run(None, kept)
    # A big report takes seconds to take apart, and everything of use has been written.
    if kept:
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
