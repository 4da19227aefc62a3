"""What a backend is, and how archc finds the installed ones.

A backend is a package with an entry point in the group `archc.backends` that names a `Backend`.
Finding and emitting never import a framework; `measure` and `load` do, in a process of their own.
"""

from __future__ import annotations

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import ClassVar, Literal

from archcompiler.emitted import DType, Emitted
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, Ended, did_you_mean
from archcompiler.fields import Shape
from archcompiler.ir import Network, Node
from archcompiler.op import Weight

GROUP = "archc.backends"
_OWN = "archcompiler"
ALIASES = {"keras": "tensorflow", "tf": "tensorflow", "pytorch": "torch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the emitted code really is, in canonical shapes (height x width x channels).

    `weights` and `trainable` are by the IR's names (`Node.weight_name`); a tensor that the IR does
    not have is there under the framework's own name.
    """

    end_points: Mapping[str, Shape]
    weights: Mapping[str, Shape]
    trainable: frozenset[str]


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
    layout: ClassVar[Literal["torch", "tensorflow"]]
    """How the framework's own files have a kernel: out x in first, or as the IR has it."""
    oldest: ClassVar[tuple[int, ...]] = ()
    """The oldest version of the framework that will do."""
    unbiased: ClassVar[bool] = False
    """Whether training moves a norm's variance by the batch's unbiased one, n / (n - 1) of it."""

    # What `gate.py` lets through beside the package's templates and the names of the spec.
    imports: ClassVar[frozenset[str]] = frozenset()
    """The modules that the emitted code imports, beside those of Python itself: `torch.nn`."""
    names: ClassVar[frozenset[str]] = frozenset()
    """What emitters write or import of these modules, in full: `torch.nn.Conv2d`."""
    attributes: ClassVar[frozenset[str]] = frozenset()
    """The attributes and methods that emitters write behind anything else: `items`, `shape`."""
    words: ClassVar[frozenset[str]] = frozenset()
    """What the strings of the emitted code may be, beside words of the spec: `same`, `pad`."""

    @abstractmethod
    def emit(self, network: Network) -> dict[str, str]:
        """Return the files: `model.py`, `weights.py`, `benchmark.py`. Raises `ArchcError`.

        A build has no files but these, and two of archc's own (`manifest.BUILT`).
        """

    @abstractmethod
    def usage(self, network: Network) -> str:
        """Return the part of the card, as Markdown, that says how to use the emitted code."""

    @abstractmethod
    def weight_key(self, node: Node, weight: Weight) -> str:
        """Return a weight's name in the framework's own files of the emitted network."""

    def unusable(self) -> str:
        """Import the framework; return why emitted code cannot run on it, or ""."""
        return too_old(self.framework, self.oldest)

    @abstractmethod
    def measure(self, folder: Path, network: Network) -> Measured:
        """Import the emitted `model.py` in `folder` and measure it, without a batch of images."""

    @abstractmethod
    def load(self, folder: Path, network: Network, dtype: DType) -> Emitted:
        """Import the build in `folder` and make its network, with weights of that dtype."""


def backend_names() -> tuple[str, ...]:
    """Return the names of the installed backends, sorted; none is loaded."""
    return tuple(sorted({point.name for point in metadata.entry_points(group=GROUP)}))


@cache
def backend(name: str) -> Backend:
    """Load one backend. Raises E702: unknown (with the nearest name), or broken.

    Where several distributions have one of that name, archc's own wins, and a note says so.

    What is installed is looked up once: that reads a file of every distribution.
    """
    points = metadata.entry_points(group=GROUP, name=name)
    if not points:
        known = backend_names()
        alias = ALIASES.get(name.lower(), "")
        hint = f"in archc this is `{alias}`" if alias in known else did_you_mean(name, known)
        if parts := [part for part in re.split(r"[,;+ ]+", name) if part in known]:
            hint = f"give each an option of its own: `{' '.join(f'-b {part}' for part in parts)}`"
        hint = hint or f"there are {', '.join(known) or 'none'}"
        raise _fail(f"there is no backend `{name}`", hint)
    point, *others = sorted(points, key=lambda p: (_distribution(p) != _OWN, _distribution(p)))
    by = _distribution(point)
    for other in others:
        _warn(f"the backend `{name}` is that of `{by}`; `{_distribution(other)}` has one, too")
    try:
        found = point.load()
    except (KeyboardInterrupt, Ended):
        raise
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"
        raise _fail(f"the backend `{name}` of `{by}` cannot be loaded: {reason}") from None
    if not isinstance(found, Backend):
        raise _fail(f"the backend `{name}` of `{by}` ({point.value}) is no archcompiler Backend")
    return found


def too_old(name: str, oldest: tuple[int, ...]) -> str:
    """Import a module; return why that fails, or that it is older than this, or ""."""
    try:
        version = str(getattr(importlib.import_module(name), "__version__", ""))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        said = " ".join(str(error).split())
        return f"importing {name} fails with {type(error).__name__}{said and ': '}{said}"
    found = re.match(r"\d+(?:\.\d+)*", version)
    if found and tuple(map(int, found[0].split("."))) < oldest:
        least = ".".join(map(str, oldest))
        return f"{name} {version} is too old, {least} is the oldest that will do"
    return ""


def _distribution(point: metadata.EntryPoint) -> str:
    """Return the name of the distribution that an entry point comes with."""
    return point.dist.name if point.dist else "?"


def _warn(message: str) -> None:
    from archcompiler.diagnostics import report

    hint = "uninstall what is not meant, or ask its maker for another name"
    report([Diagnostic(code="E702", message=message, hint=hint, severity="note")])


def no_such_op(title: str, node: Node, reason: str = "", hint: str | None = None) -> ArchcError:
    """Return the error E501: a framework, or its backend, cannot build a layer."""
    diagnostic = Diagnostic(
        code="E501",
        message=f"{title} has no {reason or f'`{node.op.key}`'}: `{node.path}`",
        position=node.position,
        hint=hint,
    )
    return ArchcError(diagnostic)


def _fail(message: str, hint: str | None = None) -> ArchcError:
    diagnostic = Diagnostic(code="E702", message=message, hint=hint)
    return ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
