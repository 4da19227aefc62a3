"""What archc says when something is wrong, and the one exception that carries it.

Every problem is a `Diagnostic`. A room collects the diagnostics of all independent mistakes in a
`Report` and raises them together as one `ArchcError`; anything else that escapes is a bug in archc.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from archcompiler.near import nearest as nearest
from archcompiler.position import Position

Severity = Literal["error", "note"]

SPEC_IS_WRONG = 1
USAGE_OR_ENVIRONMENT = 2
MOST_ERRORS_SHOWN = 20
MOST_ERRORS_COLLECTED = 200


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


class Ended(SystemExit):
    """A signal came; unlike `KeyboardInterrupt`, click lets it pass."""


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
        """Record an error; the room goes on with what does not depend on it, up to 200 times."""
        self.add(
            Diagnostic(code=code, message=message, position=position, rows=tuple(rows), hint=hint)
        )

    def add(self, diagnostic: Diagnostic) -> None:
        """Record a diagnostic; with the 200th, raise them all."""
        self.diagnostics.append(diagnostic)
        if len(self.diagnostics) >= MOST_ERRORS_COLLECTED:
            self.raise_errors()

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
    """Sort by file, line and column; what has no position comes first, files as they come.

    Of several of one code at one place only the first stays: a block's mistake shows in each use.
    """
    unique: dict[object, Diagnostic] = {}
    for found in diagnostics:
        unique.setdefault((found.code, found.position) if found.position else found, found)
    files: dict[str, int] = {}
    for found in unique.values():
        if found.position:
            files.setdefault(found.position.source.name, len(files))
    return sorted(
        unique.values(),
        key=lambda d: (
            (files[d.position.source.name], d.position.line, d.position.column)
            if d.position
            else (-1, 0, 0)
        ),
    )


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a hint with the known word nearest to `word`, or None when nothing is near."""
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else None


def one_of(words: Iterable[str], last: str = "or") -> str:
    """Join words as a person would list them: `a`, `b` or `c`."""
    return listed([f"`{w}`" for w in words], last)


def listed(phrases: Sequence[str], last: str = "and") -> str:
    """Join phrases as a person would list them: a, b and c."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} {last} {phrases[-1]}"


def counted(number: int, noun: str) -> str:
    """Return a count with its noun, such as `1 end point`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class WrongValue(ValueError):
    """Raised by the parsers below; the adapter's sentence says what was expected, `hint` more."""

    def __init__(self, message: str = "", hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
