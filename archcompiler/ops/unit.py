"""The unit: weights, then an optional norm, then an optional activation (slim.conv2d)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from typing_extensions import override

from archcompiler.errors import WrongValue
from archcompiler.fields import ActivationField, Flag, InitField, NotNegative, Says, Shape, parsed
from archcompiler.initializer import Init
from archcompiler.op import Op, Weight, read_attributes, write_attributes
from archcompiler.ops.batch_norm import BatchNorm
from archcompiler.ops.layer_norm import LayerNorm

GLOROT = Init("glorot_uniform")
ZEROS = Init("zeros")

Norm = BatchNorm | LayerNorm

NORMS: dict[str, type[Norm]] = {BatchNorm.key: BatchNorm, LayerNorm.key: LayerNorm}
"""The ops that `norm:` may name."""


def _parse_norm(value: object) -> Norm | None:
    if value == "none":
        return None
    if isinstance(value, Norm):
        return value
    if isinstance(value, dict) and len(value) == 1:
        key, options = next(iter(value.items()))
        if key in NORMS and isinstance(options, dict):
            return NORMS[key](**read_attributes(NORMS[key], options))
    raise WrongValue


NormField = Annotated[
    Norm | None,
    Says(
        "batch_norm, layer_norm, none, or one norm with its options like "
        "{batch_norm: {epsilon: 1e-5}}",
        {
            "oneOf": [
                {"enum": [*NORMS, "none"]},
                {"type": "object", "minProperties": 1, "maxProperties": 1},
            ]
        },
        parsed(_parse_norm),
        lambda norm: {norm.key: write_attributes(norm)} if norm else "none",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit(Op):
    """Base of the ops with kernels: what convolutions and dense share.

    `bias` is present by default exactly when no norm follows. `weight_decay` and `bias_decay` add
    decay / 2 * ||w||^2 to the loss.
    """

    part: ClassVar[str]
    """What the weights' piece of the unit is called."""

    bias: Flag = True
    norm: NormField = None
    activation: ActivationField = None
    init: InitField = GLOROT
    bias_init: InitField = ZEROS
    weight_decay: NotNegative = 0.0
    bias_decay: NotNegative = 0.0

    @classmethod
    @override
    def settle(cls, written: dict[str, Any], inputs: tuple[Shape, ...]) -> None:
        settle_bias(written)

    @property
    def single(self) -> bool:
        """Tell whether the layer is its weights alone: one kernel, without norm and activation."""
        return self.norm is None and self.activation is None

    @property
    def own_part(self) -> str:
        """Return the part that the bias and the last kernel belong to; empty in a single layer."""
        return "" if self.single else self.part

    @property
    def last_part(self) -> str:
        """Return the part that gives the unit's output; empty where that is the unit itself."""
        if self.activation is not None:
            return ""
        return "norm" if self.norm else self.own_part

    @abstractmethod
    def kernel_shape(self, channels: int) -> Shape:
        """Return the last kernel's shape, input and output channels last."""

    @abstractmethod
    def outputs(self, channels: int) -> int:
        """Return the number of output channels."""

    def kernels(self, channels: int) -> tuple[Weight, ...]:
        """Return the kernels, in the order in which they are applied."""
        return (self.kernel_weight(self.kernel_shape(channels), self.own_part),)

    def kernel_weight(self, shape: Shape, part: str) -> Weight:
        """Return a kernel that starts and decays as the unit says."""
        return Weight(
            name="kernel", shape=shape, part=part, init=self.init, decay=self.weight_decay
        )

    @override
    def weights(self, inputs: tuple[Shape, ...]) -> tuple[Weight, ...]:
        channels = inputs[0][-1]
        outputs = self.outputs(channels)
        bias = Weight(
            name="bias",
            shape=(outputs,),
            part=self.own_part,
            init=self.bias_init,
            decay=self.bias_decay,
        )
        norm = self.norm.tensors(outputs, "norm") if self.norm else ()
        return (*self.kernels(channels), *((bias,) if self.bias else ()), *norm)


def settle_bias(written: dict[str, Any]) -> None:
    """Give `bias` its default, in place: present exactly when no norm follows."""
    written.setdefault("bias", written.get("norm") is None)
