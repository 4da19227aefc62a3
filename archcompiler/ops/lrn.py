"""Local response normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Count, Positive, Shape
from archcompiler.op import Example, Op, ShapeError, one_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Lrn(Op):
    """y = x / (k + alpha / size * sum of x^2 over `size` neighbouring channels) ^ beta.

    Krizhevsky et al., 2012, with alpha divided by the size as Caffe and torch do (TensorFlow's own
    op does not divide).
    """

    key: ClassVar[str] = "lrn"
    main: ClassVar[str | None] = "size"

    size: Count
    alpha: Positive
    beta: Positive
    k: Positive

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            inputs=((3, 4, 8),),
            written={"size": 5, "alpha": 0.1, "beta": 0.75, "k": 1.0},
            output=(3, 4, 8),
        ),
        Example(
            inputs=((2, 2, 3),),
            written={"size": 7, "alpha": 0.2, "beta": 0.5, "k": 2.0},
            output=(2, 2, 3),
        ),
        Example(
            inputs=((2, 3, 4),),
            written={"size": 1, "alpha": 1.5, "beta": 0.5, "k": 0.5},
            output=(2, 3, 4),
        ),
        Example(
            inputs=((1, 1, 1),),
            written={"size": 3, "alpha": 1e-4, "beta": 0.75, "k": 1.0},
            output=(1, 1, 1),
        ),
        Example(
            inputs=((3, 5, 4),),
            written={"size": 3, "alpha": 0.3, "beta": 0.75, "k": 1.0},
            output=(3, 5, 4),
        ),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        if self.size % 2 == 0:
            raise ShapeError(
                "E409", f"lrn needs an odd size, got {self.size}", field="size",
                hint="an even window has no centre, and frameworks place it differently",
            )  # fmt: skip
        return one_map(self, inputs)
