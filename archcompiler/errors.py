"""What archc says when something is wrong, and the one exception that carries it.

Every problem is a `Diagnostic`. A room collects the diagnostics of all independent mistakes in a
`Report` and raises them together as one `ArchcError`; anything else that escapes is a bug in archc.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from archcompiler.position import Position

Severity = Literal["error", "note"]

SPEC_IS_WRONG = 1
USAGE_OR_ENVIRONMENT = 2
MOST_ERRORS_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One side of a mismatch: what, its value, and where it was written."""

    label: str
    value: str = ""
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One problem: its code (see `archc explain`), a sentence, a place, and what would help."""

    code: str
    message: str
    position: Position | None = None
    rows: tuple[Row, ...] = ()
    hint: str | None = None
    severity: Severity = "error"


class ArchcError(Exception):
    """The one root of archc's errors: diagnostics and the exit code of the command line."""

    def __init__(self, *diagnostics: Diagnostic, exit_code: int = SPEC_IS_WRONG) -> None:
        super().__init__("; ".join(d.message for d in diagnostics))
        self.diagnostics = diagnostics
        self.exit_code = exit_code


@dataclass(slots=True)
class Report:
    """Collects the problems of one room, so that all of them are shown in one run."""

    diagnostics: list[Diagnostic] = field(default_factory=list)

    def error(
        self,
        code: str,
        message: str,
        position: Position | None,
        *,
        rows: Iterable[Row] = (),
        hint: str | None = None,
    ) -> None:
        """Record an error; the room goes on with what does not depend on it."""
        self.diagnostics.append(
            Diagnostic(code=code, message=message, position=position, rows=tuple(rows), hint=hint)
        )

    def note(self, code: str, message: str, position: Position | None) -> None:
        """Record something worth knowing that does not fail the run."""
        self.diagnostics.append(
            Diagnostic(code=code, message=message, position=position, severity="note")
        )

    @property
    def notes(self) -> tuple[Diagnostic, ...]:
        """Return what was recorded and is no error."""
        return tuple(d for d in self.diagnostics if d.severity == "note")

    def raise_errors(self) -> None:
        """Raise `ArchcError` with everything recorded, in the order of the file, if any failed."""
        if any(d.severity == "error" for d in self.diagnostics):
            raise ArchcError(*in_file_order(self.diagnostics))


def in_file_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sort by line and column; what has no position comes first. Drops exact repetitions."""
    unique = dict.fromkeys(diagnostics)
    return sorted(
        unique, key=lambda d: (d.position.line, d.position.column) if d.position else (0, 0)
    )


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a hint with the known word nearest to `word`, or None when nothing is near."""
    by_folded = {k.lower(): k for k in known}
    near = difflib.get_close_matches(word.lower(), by_folded, n=1, cutoff=0.6)
    return f"did you mean `{by_folded[near[0]]}`?" if near else None


def one_of(words: Iterable[str]) -> str:
    """Join words as a person would list them: `a`, `b` or `c`."""
    quoted = [f"`{w}`" for w in words]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"
