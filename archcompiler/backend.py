"""What a backend is, and how archc finds the installed ones.

A backend is a package with an entry point in the group `archc.backends` that names a `Backend`.
Finding and emitting never import a framework; `measure` does, and runs in a process of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import ClassVar

from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, did_you_mean
from archcompiler.fields import Shape
from archcompiler.ir import Network

GROUP = "archc.backends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the emitted code really is: shapes of end points (canonical order) and counts.

    `weights` are parameters and norm statistics, `inference_weights` those of what evaluation
    computes.
    """

    end_points: Mapping[str, Shape]
    weights: int
    trainable: int
    inference_weights: int


class Backend(ABC):
    """Writes source for one framework."""

    name: ClassVar[str]
    """What `--backend` calls it."""
    title: ClassVar[str]
    """The framework's name for people, such as `PyTorch`."""
    framework: ClassVar[str]
    """The module that the emitted code imports."""
    requirement: ClassVar[str]
    """What `pip install` takes to get the framework, such as `archcompiler[torch]`."""

    @abstractmethod
    def emit(self, network: Network) -> dict[str, str]:
        """Return the backend's files by name: `model.py`, `benchmark.py`. Raises `ArchcError`."""

    @abstractmethod
    def usage(self, network: Network) -> str:
        """Return the part of the card, as Markdown, that says how to use the emitted code."""

    @abstractmethod
    def measure(self, folder: Path) -> Measured:
        """Import the emitted `model.py` in `folder` and measure it, without a batch of images."""


def backends() -> dict[str, Backend]:
    """Return the installed backends by name. Raises E702 for one that cannot be loaded."""
    found: dict[str, Backend] = {}
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda p: p.name):
        try:
            backend = point.load()
        except Exception as error:
            raise _fail(f"the backend `{point.name}` cannot be loaded: {error}") from None
        if not isinstance(backend, Backend):
            raise _fail(f"the backend `{point.name}` ({point.value}) is no archcompiler.Backend")
        found.setdefault(point.name, backend)
    return found


def backend(name: str) -> Backend:
    """Return one backend by name. Raises E702, with the nearest name."""
    found = backends()
    if name in found:
        return found[name]
    hint = did_you_mean(name, found) or f"installed are {', '.join(found) or 'none'}"
    raise _fail(f"there is no backend `{name}`", hint)


def _fail(message: str, hint: str | None = None) -> ArchcError:
    diagnostic = Diagnostic(code="E702", message=message, hint=hint)
    return ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
