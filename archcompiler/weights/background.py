"""Sources with 1001 classes, of which class 0 is the background: dropping it (E916)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archcompiler.errors import Row
from archcompiler.ir import Network, Node
from archcompiler.weights.plan import Match
from archcompiler.weights.problems import Problems, shown

if TYPE_CHECKING:
    from archcompiler.emitted import Array


@dataclass(slots=True)
class Background:
    """Which layers give the classes, and what was dropped of them."""

    network: Network
    drop: bool
    logits: dict[str, Node] = field(default_factory=dict)
    kept: list[Match] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find the last layer with weights of each head."""
        for head in self.network.heads:
            weighted = [node for node in head.node.walk() if node.weights]
            if weighted:
                self.logits[weighted[-1].path] = weighted[-1]

    def apply(self, value: Array, match: Match) -> tuple[Array, str | None]:
        """Drop class 0 of a logits' kernel or bias, where asked to; say so."""
        if not self.drop or match.node.path not in self.logits or match.weight is None:
            return value, None
        if not self._one_more(value.shape, match.weight.shape):
            self.kept.append(match)
            return value, None
        return value[..., 1:], "class 0 dropped"

    def hint(self, shape: tuple[int, ...], match: Match) -> str | None:
        """Suggest the option where one class more is all that differs."""
        if self.drop or match.weight is None or match.node.path not in self.logits:
            return None
        if not self._one_more(shape, match.weight.shape):
            return None
        return (
            "if class 0 is a background, `--drop-background` leaves it out; "
            f"else build with `num_classes={shape[-1]}`"
        )

    def check(self, problems: Problems) -> None:
        """Record logits that had no class to drop (E916)."""
        for match in self.kept:
            assert match.weight is not None
            problems.error(
                "E916",
                f"`{match.ours}` has no background to drop",
                match.node.position,
                rows=(Row(label="the spec", value=shown(match.weight.shape)),),
                hint="leave `--drop-background` out",
            )

    @staticmethod
    def _one_more(theirs: tuple[int, ...], ours: tuple[int, ...]) -> bool:
        return theirs == (*ours[:-1], ours[-1] + 1)
