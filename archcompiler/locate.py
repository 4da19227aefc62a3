"""What the words behind a command mean: spec files, folders, shipped specs, assignments."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, did_you_mean
from archcompiler.escape import shell_word
from archcompiler.overrides import Assignment, parse_assignment
from archcompiler.shipped import folder
from archcompiler.surroundings import GONE, is_gone

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Located:
    """The spec files in the order of the command line, each once, and the assignments."""

    specs: tuple[Path, ...]
    assignments: tuple[Assignment, ...]


def locate(words: Iterable[str]) -> Located:
    """Sort out the words of the command line.

    What exists wins over a shipped spec of the same name, and over an assignment. Raises
    `ArchcError` with exit code 2: E703 for every word that is no spec, E704 for an assignment that
    cannot be read.
    """
    specs: dict[Path, None] = {}
    assignments: list[Assignment] = []
    problems: list[Diagnostic] = []
    before = ""
    for word in words:
        try:
            if "=" in word and not os.path.lexists(word):
                assignments.append(_once(parse_assignment(word), assignments))
            else:
                specs |= dict.fromkeys(_files(word))
        except ArchcError as error:
            problems += (_apart(found, before, word) for found in error.diagnostics)
        before = word
    if problems:
        raise ArchcError(*problems, exit_code=USAGE_OR_ENVIRONMENT)
    return Located(tuple(specs), tuple(assignments))


def _apart(found: Diagnostic, before: str, word: str) -> Diagnostic:
    """Say of a word that is no spec what it is part of, where the shell has split that."""
    from archcompiler.backend import backend_names  # only here: it looks at what is installed

    hint = None
    if before.endswith("=") or word == "=":
        hint = "write an assignment without spaces around its `=`"
    elif word.lower() in backend_names():
        hint = f"a backend is said by an option: `-b {word}`"
    return dataclasses.replace(found, hint=hint) if hint else found


def shipped() -> dict[str, Path]:
    """Return the specs that come with archc, by name."""
    return {path.stem: path for path in specs_in(shipped_folder())}


def shipped_folder() -> Path:
    """Return the folder of the specs that come with archc."""
    return folder()


def _once(assignment: Assignment, others: list[Assignment]) -> Assignment:
    if any(other.target == assignment.target for other in others):
        diagnostic = Diagnostic(
            code="E704",
            message=f"`{assignment.target}` is given twice",
            position=assignment.position,
        )
        raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
    return assignment


def _files(word: str) -> list[Path]:
    path = Path(word)
    if os.path.isdir(word):
        found = specs_in(path)
        if _is_closed(os.listdir, word):
            raise _no_spec(f"cannot read the folder {word}: permission denied", None)
        if not found and word not in shipped():
            raise _no_spec(f"the folder {word} holds no spec", "a spec ends in .yaml or .yml")
        if found:
            _stay_below(path, found)
            return found
    elif path.suffix == ".lock" and os.path.isfile(word):
        beside = [p for p in map(path.with_suffix, SUFFIXES) if p.is_file()]
        raise _no_spec(f"{word} is a lock, not a spec", f"give {beside[0]}" if beside else None)
    elif os.path.lexists(word):  # what is no regular file is for the reader to refuse
        return [path]
    known = shipped()
    if word in known:
        return [relative(known[word])]
    if _is_closed(os.lstat, word):
        raise _no_spec(f"cannot read {word}: permission denied", None)
    if path.suffix in SUFFIXES:
        near = did_you_mean(path.name, [p.name for p in specs_in(path.parent)])
        raise _no_spec(f"there is no file {word}", near or did_you_mean(path.stem, known))
    near = did_you_mean(word, known)
    raise _no_spec(
        f"there is no spec `{word}`",
        near or f"give a .yaml file, a folder, or one of {', '.join(known)}",
    )


def _stay_below(folder: Path, found: Iterable[Path]) -> None:
    """Refuse links to what is no spec below a folder: nobody named it, and errors quote it."""
    root = folder.resolve()
    real = {p: Path(os.path.realpath(p)) for p in found}
    what = f"out of the folder {folder}"
    wrong = [p for p, target in real.items() if not target.is_relative_to(root)]
    if not wrong:
        what = "to a file that is hidden or no spec"
        wrong = [p for p, target in real.items() if not is_open_spec(target, root)]
    if wrong:
        more = f"; {len(wrong) - 1} more like it" if wrong[1:] else ""
        message = f"{wrong[0]} is a link {what}{more}"
        raise _no_spec(message, "move it away, or name the file itself")


def is_open_spec(path: Path, root: Path) -> bool:
    """Tell whether a path below `root` is called like a spec, and nothing on the way is hidden.

    Both paths are real ones. What else lies below a folder of specs may be nobody's to see. Two
    dots hide nothing: so the folders are called behind the links of a volume of Kubernetes.
    """
    hidden = (part for part in path.relative_to(root).parts if re.match(r"\.(?!\.)", part))
    return path.suffix in SUFFIXES and not any(hidden)


def _is_closed(look: Callable[[str], object], word: str) -> bool:
    """Tell whether something may be there that this user may not look at."""
    try:
        look(word)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return False


def specs_in(folder: Path) -> list[Path]:
    """Return the spec files of one folder, sorted; hidden ones are settings of other tools."""
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return []
    return [p for p in found if p.suffix in SUFFIXES and p.name[0] != "." and not p.is_dir()]


def relative(path: Path) -> Path:
    """Return the path as a person in this folder would write it."""
    try:
        return path.relative_to(Path.cwd())
    except (ValueError, OSError):
        return path


def typed(path: Path) -> str:
    """Return the word by which a command line calls a spec: a shipped one's name, or its path."""
    same = (name for name, known in shipped().items() if known.resolve() == path.resolve())
    return next(same, None) or shell_word(str(path))


def _no_spec(message: str, hint: str | None) -> ArchcError:
    if is_gone():
        hint = f"{GONE}: change to another one"
    diagnostic = Diagnostic(code="E703", message=message, hint=hint)
    return ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
