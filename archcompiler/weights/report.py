"""What a transfer did: which tensors were used, left over, missing, reshaped, filled in."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from archcompiler.diagnostics import WIDTH, show
from archcompiler.weights.problems import shown

MOST_NAMES = 12
"""The text lists no more names of a kind; `--format json` has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """One weight and the tensor of the other library; shapes are without any conversion."""

    weight: str
    tensor: str
    shape: tuple[int, ...]
    tensor_shape: tuple[int, ...]
    reshaped: str | None = None


@dataclass(slots=True, kw_only=True)
class Report:
    """The account of one import or export.

    `used` pairs weights with tensors. `unused` are tensors of the file that nothing took, `ignored`
    those that the map leaves out. `missing` are weights that no tensor gave. `filled` are gammas of
    ones that one side has not, `dropped` such gammas that were left away.
    """

    network: str
    source: str
    used: list[Used] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def reshaped(self) -> list[Used]:
        """Return what was used in another shape than the layout's own order gives."""
        return [one for one in self.used if one.reshaped]

    def document(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {
            "network": self.network,
            "source": self.source,
            "used": [
                {
                    "weight": one.weight,
                    "tensor": one.tensor,
                    "shape": list(one.shape),
                    "tensor_shape": list(one.tensor_shape),
                    "reshaped": one.reshaped,
                }
                for one in self.used
            ],
            "unused": self.unused,
            "ignored": self.ignored,
            "missing": self.missing,
            "filled": self.filled,
            "dropped": self.dropped,
            "notes": self.notes,
        }

    def text(self) -> str:
        """Return it for people, at most 80 columns where names allow; a line for each kind."""
        values = sum(math.prod(one.shape) for one in self.used)
        lines = [f"  used      {len(self.used):>5,} tensors, {values:,} values"]
        for one in self.reshaped:
            lines.append(f"  reshaped  {show(one.tensor)}: {one.reshaped}")
            theirs, ours = (shown(s) for s in (one.tensor_shape, one.shape))
            lines.append(f"            {theirs} is {ours} in {show(one.weight)}")
        lines += _listed("filled in", self.filled, "gammas of ones", grouped=True)
        lines += _listed("dropped", self.dropped, "gammas of ones", grouped=True)
        lines += _listed("ignored", self.ignored, "tensors that the map leaves out", grouped=True)
        lines += _listed("missing", self.missing, "weights that the source does not have")
        lines += _listed("unused", self.unused, "tensors of the file")
        return "\n".join(lines)


def _listed(word: str, names: list[str], what: str, *, grouped: bool = False) -> Iterable[str]:
    """Yield a count, and the names where they are not all of one kind."""
    if not names:
        return
    yield f"  {word:<9} {len(names):>5,} {what}"
    if grouped:
        return
    for name in names[:MOST_NAMES]:
        yield f"            {show(name)}"
    if len(names) > MOST_NAMES:
        yield f"            ... and {len(names) - MOST_NAMES:,} more"


def wrapped(note: str) -> str:
    """Return a note of a map at 80 columns."""
    return textwrap.fill(show(note), WIDTH, initial_indent="  note: ", subsequent_indent="        ")
