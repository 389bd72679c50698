"""The errors a user can mend: each says what is wrong, where, and what to do next."""

from __future__ import annotations


class AuditorError(Exception):
    """Something the program cannot go on from.

    `place` names the file (with line, column or element) or the argument at fault, `hint` the remedy.
    `cli.py` prints `error: PLACE: MESSAGE` and `hint: HINT` and exits with 2.
    """

    def __init__(self, message: str, *, hint: str, place: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class SourceError(AuditorError):
    """A SOURCE cannot be opened, decompressed to its end, parsed, or is of no known kind."""


class RuleError(AuditorError):
    """A rule file is wrong: its form, an unknown field, an expression, or one of its own examples."""


class ConfigError(AuditorError):
    """A configuration or waivers file, or an option, is wrong."""
