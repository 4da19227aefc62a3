"""What an op is: one class that declares everything about itself.

An op's dataclass fields are its attributes in the IR: plain, validated, nothing left open. The
written form (any field absent, or an expression) is derived from them: see `attributes`.
"""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, get_type_hints

from archcompiler.errors import WrongValue
from archcompiler.fields import Shape, check, write
from archcompiler.initializer import Init


class ShapeError(Exception):
    """An op cannot take these inputs: a code, a sentence, and the attribute to point at."""

    def __init__(
        self, code: str, message: str, *, field: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.field, self.hint = code, message, field, hint


ZEROS = Init("zeros")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One tensor of a layer, in the order H, W, in, out whatever a framework stores.

    `part` is the piece of the unit that owns it (`conv`, `norm`), empty where the layer is one
    piece. Norm statistics are weights that are not trainable.
    """

    name: str
    shape: Shape
    part: str = ""
    trainable: bool = True
    init: Init = ZEROS
    decay: float = 0.0

    @property
    def count(self) -> int:
        """Return the number of values."""
        total = 1
        for n in self.shape:
            total *= n
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One use of an op with what it must give; every backend is held to it."""

    inputs: tuple[Shape, ...]
    output: Shape
    written: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    params: int = 0
    macs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Op(ABC):
    """Base of all ops. Subclasses set `key`, may set `main`, and implement `infer`."""

    key: ClassVar[str]
    main: ClassVar[str | None] = None
    """The attribute that the value behind the op's key fills."""
    several_inputs: ClassVar[bool] = False
    written_only: ClassVar[Mapping[str, Any]] = {}
    """Attributes a spec may write that `resolve` turns into others."""
    examples: ClassVar[tuple[Example, ...]]

    @classmethod
    def resolve(cls, written: Mapping[str, Any], inputs: tuple[Shape, ...]) -> Self:
        """Build the op from validated attributes; input shapes settle what depends on them."""
        settled = dict(written)
        cls.settle(settled, inputs)
        return cls(**settled)

    @classmethod
    def settle(cls, written: dict[str, Any], inputs: tuple[Shape, ...]) -> None:
        """Turn written forms into plain attributes, in place; by default there are none."""
        return

    @abstractmethod
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        """Return the output shape. Raises `ShapeError`."""

    def weights(self, inputs: tuple[Shape, ...]) -> tuple[Weight, ...]:
        """Return the layer's tensors, in the order frameworks create them."""
        return ()

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        """Return multiply-adds of one image: convolutions and dense layers only, no bias."""
        return 0

    def follows_size(self, inputs: tuple[Shape, ...], written: Mapping[str, Any]) -> bool:
        """Tell whether the op, as resolved from `written`, is right only at this input size."""
        return False


@functools.cache
def plain_attributes(op: type[Op]) -> dict[str, Any]:
    """Return the attributes that `op` has in the IR, with their annotated types."""
    hints = get_type_hints(op, include_extras=True)
    own, inherited = _by_home(op)
    return {name: hints[name] for name in (*inherited, *own)}


@functools.cache
def attributes(op: type[Op]) -> dict[str, Any]:
    """Return every attribute a spec may write for `op`, with its annotated type."""
    return plain_attributes(op) | dict(op.written_only)


@functools.cache
def required(op: type[Op]) -> tuple[str, ...]:
    """Return the attributes without a built-in default: a layer or a `defaults` must say them."""
    missing = dataclasses.MISSING
    given = {
        f.name
        for f in dataclasses.fields(op)
        if f.default is not missing or f.default_factory is not missing
    }
    return tuple(name for name in plain_attributes(op) if name not in given)


def one_map(op: Op, inputs: tuple[Shape, ...]) -> tuple[int, int, int]:
    """Return the only input as height, width, channels. Raises E405 on a vector."""
    shape = inputs[0]
    if len(shape) != 3:
        raise ShapeError(
            "E405", f"{op.key} needs a map (height x width x channels), got a vector of {shape[0]}"
        )
    height, width, channels = shape
    return height, width, channels


def read_attributes(op: type[Op], written: Mapping[str, object]) -> dict[str, Any]:
    """Validate attributes given as plain values. Raises `WrongValue`, naming the attribute."""
    known = attributes(op)
    for name in written:
        if name not in known:
            raise WrongValue(f"{op.key} has no attribute `{name}`")
    for name in required(op):
        if name not in written:
            raise WrongValue(f"{op.key} needs `{name}`")
    return {name: check(known[name], value) for name, value in written.items()}


def write_attributes(op: Op) -> dict[str, Any]:
    """Write an op's attributes as plain values, as people do: what it is, then what it inherits."""
    types = attributes(type(op))
    own, inherited = _by_home(type(op))
    return {name: write(types[name], getattr(op, name)) for name in (*own, *inherited)}


@functools.cache
def _by_home(op: type[Op]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part the attributes: the main one and its neighbours, and what bases add (bias, norm, ...).

    Neighbours are those of the classes from `op` up to the last that names a main attribute.
    """
    bases = op.__mro__[: op.__mro__.index(Op)]
    homes = [n for n, base in enumerate(bases, 1) if "main" in vars(base)]
    names = {name for base in bases[: max(homes, default=0)] for name in base.__annotations__}
    fields = sorted((f.name for f in dataclasses.fields(op)), key=lambda name: name != op.main)
    own = tuple(name for name in fields if name in names)
    return own, tuple(name for name in fields if name not in names)
