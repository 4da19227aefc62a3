"""All files of one build: the backend's source, the resolved IR, the card."""

from __future__ import annotations

from archcompiler import gate, invariants
from archcompiler.backend import Backend
from archcompiler.escape import markdown, markdown_code, markdown_comment
from archcompiler.fields import shape_text
from archcompiler.ir import Network
from archcompiler.ir_json import to_json
from archcompiler.render import generated_from, render


def emit(network: Network, backend: Backend) -> dict[str, str]:
    """Return the files of a build by name. Imports no framework.

    The network is checked before, the files after. Raises `ArchcError`.
    """
    invariants.hold(network)
    files = {
        **backend.emit(network),
        "architecture.json": to_json(network),
        "README.md": card(network, backend),
    }
    gate.check(files, network, gate.allowed(backend))
    return files


def card(network: Network, backend: Backend) -> str:
    """Return the card: what was built, its end points and figures, how to use it."""
    total, inference = network.totals(), network.totals(inference=True)
    points = [
        (e.name, shape_text(e.node.output.shape), _remark(network, e.name))
        for e in network.end_points
    ]
    return render(
        "archcompiler",
        "card.md.jinja",
        header=f"<!-- {generated_from(markdown_comment(network.origin))} -->",
        network=network,
        origin=markdown_code(network.origin),
        summary=markdown(network.title),
        backend=backend,
        usage=backend.usage(network).rstrip("\n"),
        input=shape_text(network.input.shape),
        points=points,
        total=total,
        inference=inference,
    )


def _remark(network: Network, name: str) -> str:
    for head in network.heads:
        if head.name == name:
            if head.training_only:
                return f"training only, loss weight {head.loss_weight}"
            return "output" if name == network.output else "end point only"
    return ""
