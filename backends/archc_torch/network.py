"""The network's own class, and the functions around it: end points, loss, the check of the size."""

from __future__ import annotations

from dataclasses import dataclass

from archc_torch.classes import Classes, ClassSource
from archc_torch.end_points import EndPoints, is_loop
from archc_torch.forward import Statements, live, read_by
from archc_torch.lines import Lines
from archc_torch.naming import fields
from archcompiler.definition import Definition
from archcompiler.ir import Head, Network, Node
from archcompiler.pretty import Expression, assign, call, doc_lines, literal, paragraph, statement
from archcompiler.softmax import gives_probabilities


@dataclass(slots=True)
class NetworkWriter:
    """Writes what there is once in a file, for a laid-out network."""

    network: Network
    lines: Lines
    classes: Classes
    definition: Definition

    def constants(self) -> tuple[str, ...]:
        """Return the input's shape and the names of the end points."""
        network = self.network
        lines = [f"INPUT_SHAPE = {literal(network.input.shape)}  # height, width, channels"]
        names = [literal(e.name) for e in network.end_points]
        if self.loops():
            trunk, skipped = [literal(n.path) for n in network.trunk], self.skipped()
            lines += Expression("TRUNK = (", trunk).lines(0)
            rest = names[len(trunk) - len(skipped) :]
            names = ["*TRUNK", *rest]
            if skipped:
                lines.append("# Layers of the trunk that are no end points.")
                comma = "," if len(skipped) == 1 else ""
                close = f"{comma})"
                lines += Expression("SKIPPED = (", skipped, close=close).lines(0)
                names[0] = "*(name for name in TRUNK if name not in SKIPPED)"
        comma = "," if len(names) == 1 else ""
        lines += Expression("END_POINTS = (", names, close=f"{comma})").lines(0)
        return tuple(lines)

    def network_class(self) -> ClassSource:
        """Return the network's class."""
        definition = self.definition
        sizes = self.classes.sizes(definition)
        training = bool(self.network.training_heads)
        title = "The network: logits in evaluation, an `Output` in training."
        returns = "Tensor | Output" if training else "Tensor"
        return ClassSource(
            name=definition.name,
            doc=doc_lines(title if training else "The network.", 4),
            init=self.classes.init(definition.params, defaults=True),
            members=tuple(self.classes.members(definition, sizes, comments=True)),
            forward=(f"    def forward(self, x: Tensor) -> {returns}:",),
            body=(*self.check(), *self.forward()),
        )

    def check(self) -> list[str]:
        """Return the call of the size's check, where one is needed."""
        return ["        check_size(x)"] if self.network.follows_size else []

    def nodes(self) -> list[Node]:
        """Return the layers of the trunk, then the heads."""
        return [*self.network.trunk, *(h.node for h in self.network.heads)]

    def forward(self) -> list[str]:
        """Compute the output; what only training heads read is computed in training alone."""
        network, nodes = self.network, self.nodes()
        definition = self.definition
        statements = Statements(definition=definition, indent=8, in_x=[network.input])
        statements.variables[network.input] = "x"
        outputs = [h.node.output for h in fields(network)]
        evaluated = live(nodes, outputs[:1])
        if not network.training_heads:
            statements.give_back(evaluated, outputs[0])
            return statements.lines
        known = {*evaluated}
        trained = [n for n in live(nodes, outputs) if n not in known]
        later = [*outputs, *(v for n in trained for v in read_by(n))]
        statements.run(evaluated, later=later)
        training = Statements(
            definition=definition,
            indent=12,
            variables=dict(statements.variables),
            in_x=statements.in_x,
            names=statements.names,
        )
        training.run(trained, later=outputs)
        given = call("Output", *(training.variables[v] for v in outputs))
        return [
            *statements.lines,
            "        if self.training:",
            *training.lines,
            *statement("return ", given, 12),
            f"        return {statements.variables[outputs[0]]}",
        ]

    def loops(self) -> bool:
        """Tell whether one loop runs the trunk and keeps every result."""
        wanted = {e.node: e.name for e in self.network.end_points}
        heads = {v for h in self.network.heads for v in read_by(h.node)}
        return is_loop(self.network.trunk, wanted, self.network.input, heads)

    def skipped(self) -> list[str]:
        """Return the layers of the trunk that are no end points."""
        wanted = {e.node for e in self.network.end_points}
        return [literal(n.path) for n in self.network.trunk if n not in wanted]

    def end_points(self) -> tuple[str, ...]:
        """Return the body of `end_points`."""
        network = self.network
        wanted = {e.node: e.name for e in network.end_points}
        definition = self.definition
        statements = EndPoints(definition=definition, indent=8, wanted=wanted)
        statements.variables[network.input] = "x"
        lines = [*self.check(), "        points: dict[str, Tensor] = {}"]
        nodes = self.nodes()
        if self.loops():
            lines.append("        for name in TRUNK:")
            if self.skipped():
                lines += [
                    "            x = self.get_submodule(name)(x)",
                    "            if name not in SKIPPED:",
                    "                points[name] = x",
                ]
            else:
                lines.append("            x = points[name] = self.get_submodule(name)(x)")
            for node in network.trunk:
                if node in wanted:
                    statements.variables[node.output] = f"points[{literal(wanted[node])}]"
            statements.variables[network.trunk[-1].output] = "x"
            nodes = nodes[len(network.trunk) :]
        statements.walk(nodes)
        return (*lines, *statements.lines, "        return points")

    def loss(self) -> tuple[str, ...]:
        """Return the loss function; nothing where a head gives a map."""
        named = fields(self.network)
        if any(len(h.node.output.shape) != 1 for h in named):
            return ()
        heads = list(named)
        output = _cross_entropy(self.network, heads[0], "output")
        if len(heads) == 1:
            return (
                "def loss(output: Tensor, labels: Tensor) -> Tensor:",
                '    """Cross entropy; weight decay is the optimizer\'s, see `param_groups`."""',
                f"    return {output.flat()}",
            )
        lines = [
            "def loss(output: Tensor | Output, labels: Tensor) -> Tensor:",
            '    """Weighted cross entropy; weight decay is the optimizer\'s: `param_groups`."""',
            "    if isinstance(output, Tensor):",
            f"        return {output.flat()}",
        ]
        for head, name in named.items():
            entropy = _cross_entropy(self.network, head, f"output.{name}")
            if head is heads[0]:
                lines += assign("total", entropy, 4)
            else:
                lines += assign("entropy", entropy, 4)
                lines.append(f"    total = total + {head.loss_weight!r} * entropy")
        return (*lines, "    return total")

    def check_size(self) -> tuple[str, ...]:
        """Return the function that refuses images of another size."""
        height, width, _ = self.network.input.shape
        rest = (
            f"this network is for {height}x{width}; "
            f"`{self.network.command_for_size('torch')}` builds for others"
        )
        parts = paragraph(rest, width=68)
        text = ['f"images are {x.size(2)}x{x.size(3)}, "']
        text += [literal(f"{p} ") for p in parts[:-1]] + [literal(parts[-1])]
        return (
            "def check_size(x: Tensor) -> None:",
            '    """Refuse other sizes: some padding or kernel here was settled by this one."""',
            "    # torch.fx traces with proxies, which have no size yet.",
            f"    if isinstance(x, Tensor) and (x.size(2) != {height} or x.size(3) != {width}):",
            "        raise ValueError(",
            *(f"            {line}" for line in text),
            "        )",
        )


def _cross_entropy(network: Network, head: Head, source: str) -> Expression:
    if gives_probabilities(network, head):
        return call("F.nll_loss", f"torch.log({source})", "labels")
    return call("F.cross_entropy", source, "labels")
