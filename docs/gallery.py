"""Write docs/gallery.md: what every shipped spec is, costs, and was compared with.

    python docs/gallery.py

Weights, multiply-adds and lines are computed; the differences are those that docs/numerics.md has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_file
from archcompiler.escape import markdown
from archcompiler.fields import shape_text
from archcompiler.ir import Network
from archcompiler.locate import shipped

HERE = Path(__file__).parent
PAGE = HERE / "gallery.md"
INTRO = """\
# The gallery

Every network that comes with archc. `archc summary NAME` shows its layers,
`archc check NAME --input 75..331` the image sizes that are right for it, and
`archc new mine --from NAME` starts a variant of it. Weights and multiply-adds (MACs) are those of
evaluation; what training heads add stands behind the plus. The lines of `model.py` are those of
PyTorch and of TensorFlow.

This page is written by `python docs/gallery.py`. The difference is the largest one of any end
point, over that end point's largest value, in float32, given the same weights: `none` is equal to
the bit. [The numerics](numerics.md#other-implementations) say how each was measured.
"""
NAMES = {"inception_v3_torchvision": "`inception_v3` of torchvision"}
"""What docs/numerics.md calls networks by another name."""


def page() -> str:
    """Return the page."""
    rows = [
        "| network | input | weights | MACs | lines of YAML | lines of `model.py` | compared with |"
    ]
    rows.append("|---|---|---|---|---|---|---|")
    abouts = []
    for name, path in sorted(shipped().items()):
        network = compile_file(path).network
        lines = [len(emit(network, backend(b))["model.py"].splitlines()) for b in BACKENDS]
        spec = len(path.read_text("utf-8").splitlines())
        peers = "; ".join(f"{peer}: {most}" for peer, most in differences(name)) or "-"
        counts = f"{lines[0]}, {lines[1]}"
        rows.append(
            f"| [`{name}`](../specs/{path.name}) | {shape_text(network.input.shape)} | "
            f"{_with_heads(network, 'params')} | {_with_heads(network, 'macs')} | {spec} | "
            f"{counts} | {peers} |"
        )
        extends = f" Extends `{network.lineage[0]}`." if network.lineage else ""
        abouts.append(f"- `{name}`: {markdown(network.summary)}.{extends}")
    return "\n".join([INTRO, *rows, "", *abouts, ""])


BACKENDS = ("torch", "tensorflow")


def _with_heads(network: Network, field: str) -> str:
    alone = getattr(network.totals(inference=True), field)
    more = getattr(network.totals(), field) - alone
    return f"{alone:,}" + (f" + {more:,}" if more else "")


def differences(name: str) -> Iterator[tuple[str, str]]:
    """Yield what a network was compared with, and the largest difference in float32."""
    table = (HERE / "numerics.md").read_text("utf-8").partition("\n## Other implementations\n")[2]
    most: dict[str, list[str]] = {}
    subject = peer = ""
    for line in table.partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[2] == "float32":
            subject = cells[0].rpartition(", ")[0] or subject  # empty: as in the line before
            peer = cells[1] or peer
            if subject == NAMES.get(name, f"`{name}`"):
                most.setdefault(peer, []).append(cells[4])
    for peer, found in most.items():
        numbers = [text for text in found if re.match(r"[0-9]", text)]
        shown = "the other framework" if peer.startswith("the same") else peer
        yield shown, max(numbers, key=float) if numbers else found[0]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
