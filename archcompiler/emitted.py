"""What emitted code does when it runs, in the IR's terms: one interface over all frameworks.

Maps are batch x height x width x channels, vectors batch x channels. Weights have the IR's names
(`Node.weight_name`) and axes (height x width x in x out). Floating arrays are of the dtype that the
code was loaded with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]
    Arrays = Mapping[str, Array]

DType = Literal["float32", "float64"]


class Emitted(ABC):
    """A build, imported and made with a fixed seed, on the CPU, without the chance of dropout."""

    @abstractmethod
    def load_weights(self, path: Path) -> None:
        """Fill the network from a safetensors file, through the build's own `weights.py`."""

    @abstractmethod
    def save_weights(self, path: Path) -> None:
        """Write the network's weights as a safetensors file, in the same way."""

    @abstractmethod
    def end_points(self, images: Array) -> Arrays:
        """Return every end point by name, in evaluation."""

    @abstractmethod
    def nodes(self, images: Array) -> Arrays:
        """Return, in evaluation, what every layer gives that is an object of its own, by path.

        A join that the emitted code computes in passing may be left out.
        """

    @abstractmethod
    def differentiate(self, images: Array, weighing: Array, *, training: bool) -> Arrays:
        """Return the output, and the gradients of the sum of `weighing * output`.

        `output` is the output head's result, `input` the gradient for the images, and each
        trainable weight has its gradient by name; what the output does not depend on is left out.
        Training adds the norm statistics as it moved them, by name. The network's own weights stay
        as they were.
        """

    @abstractmethod
    def step(self, images: Array, labels: Array, rate: float) -> float:
        """Take one step of plain gradient descent in training; return the loss without decay.

        The loss is the spec's, with its training heads and loss weights; weights decay as the spec
        says.
        """
