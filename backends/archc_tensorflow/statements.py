"""The statements that build a graph of Keras layers, one after the other.

Containers are flattened into steps first; then each step's result gets a variable. Every layer is
named by its path, dots for slashes; inside a block's function the path starts with the argument
`name`.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from archc_tensorflow.lines import Lines
from archc_tensorflow.naming import LOCALS, Layers, splits
from archcompiler.definition import Definition
from archcompiler.fields import shape_text
from archcompiler.ir import Fork, Group, Instance, Node, Value
from archcompiler.pretty import (
    Expression,
    array,
    assign,
    call,
    literal,
    one_line,
    statement,
    variable,
)
from archcompiler.runs import Run, runs


@dataclass(slots=True, eq=False, kw_only=True)
class Step:
    """One layer to build: what it reads and gives, and the variables of the lists it stands in.

    `before` is the last step that the next layer of its list is made of: a value that is read no
    later may stay in the list's variable, others get a name of their own.
    """

    node: Node
    path: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    variables: tuple[str, ...]
    before: Step | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """A step, and the variables that it reads and gives."""

    step: Step
    inputs: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Statements:
    """Writes the body of one function; `calls` are the definitions that instances use."""

    lines: Lines
    layers: Layers
    definition: Definition
    calls: Mapping[Node, Definition]
    prefix: str = ""
    """The path that the argument `name` stands for; empty in the network's own function."""
    comments: bool = False
    variables: dict[Value, str] = field(default_factory=dict)
    held: dict[str, Value] = field(default_factory=dict)
    """The values that the variables hold at last."""
    body: list[str] = field(default_factory=list)
    has_returned: bool = False
    steps: list[Step] = field(default_factory=list)
    same: dict[Value, Value] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=lambda: {"x": "x"})
    """The variables of lists, by the lists' names."""
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Reserve what the function must not hide."""
        self.taken |= self.lines.taken | LOCALS | {p.name for p in self.definition.params}

    # Containers to steps

    def add(self, nodes: Sequence[Node], name: str) -> None:
        """Add the steps of one list, whose running value is called `name` where it may be."""
        previous: Step | None = None
        for node in nodes:
            start = len(self.steps)
            self.add_node(node, name)
            if len(self.steps) > start:
                if previous is not None:
                    previous.before = self.steps[-1]
                previous = self.steps[-1]

    def add_node(self, node: Node, name: str) -> None:
        """Add the steps of one layer."""
        if isinstance(node.op, Group):
            self.same[node.graphs[0].input] = node.inputs[0]
            self.add(node.graphs[0].nodes, name)
            self.same[node.output] = node.graphs[0].output
            return
        inputs = node.inputs
        if isinstance(node.op, Fork):
            self.add_branches(node, name)
            inputs = tuple(g.output for g in node.graphs)
        made = Step(
            node=node,
            path=self.layers.paths[node],
            inputs=tuple(map(self.source, inputs)),
            outputs=(node.output,),
            variables=(name,),
        )
        self.steps.append(made)

    def add_branches(self, node: Node, outer: str) -> None:
        """Add the steps of a fork's branches, in a list that is called `outer`."""
        names = [
            self.list_variable(g.name if outer == "x" else f"{outer}_{i}")
            for i, g in enumerate(node.graphs)
        ]
        if splits(node):
            made = Step(
                node=node,
                path=self.layers.split_path(node),
                inputs=(self.source(node.inputs[0]),),
                outputs=tuple(g.input for g in node.graphs),
                variables=tuple(names),
            )
            self.steps.append(made)
        for graph, name in zip(node.graphs, names, strict=True):
            if not splits(node):
                self.same[graph.input] = node.inputs[0]
            self.add(graph.nodes, name)

    def source(self, value: Value) -> Value:
        """Return the value that a step of this function gives: containers only hand values on."""
        while value in self.same:
            value = self.same[value]
        return value

    def list_variable(self, wanted: str) -> str:
        """Return a variable for a list; lists of one name share it."""
        name = variable(wanted)
        if name not in self.lists:
            self.lists[name] = self.unused(name)
        return self.lists[name]

    def unused(self, wanted: str) -> str:
        """Return a variable for what has this name, numbered if it is taken."""
        wanted = variable(wanted)
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted}_{number}", number + 1
        self.taken.add(name)
        return name

    # Steps to lines

    def write(self, results: Iterable[Value], *, returns: bool = False) -> list[str]:
        """Write the steps that the results depend on, and return the results' variables.

        `returns` lets the last step be what the function returns.
        """
        wanted = [self.source(v) for v in results]
        live = self.live(wanted)
        read: dict[Value, float] = {v: i for i, s in enumerate(live) for v in s.inputs}
        read |= dict.fromkeys(wanted, float("inf"))
        places = {step: index for index, step in enumerate(live)}
        final = live[-1] if returns and live and live[-1].outputs == tuple(wanted) else None
        lines: list[_Line] = []
        for index, step in enumerate(live):
            inputs = [self.variables[v] for v in step.inputs]
            until = places.get(step.before, index) if step.before else float("inf")
            targets = []
            for value, name in zip(step.outputs, step.variables, strict=True):
                # The list's variable, unless a value in it, or this one, is needed for longer.
                is_free = name not in self.held or read.get(self.held[name], -1) <= index
                if not is_free or read.get(value, -1) > until:
                    name = self.unused(step.node.name if len(step.outputs) == 1 else name)
                self.hold(value, name)
                targets.append(name)
            lines.append(_Line(step, tuple(inputs), tuple(targets)))
        for run in runs([(line.step.path, self.rest(line)) for line in lines]):
            line = lines[run.start]
            if run.base:
                self.write_loop(line, run)
            else:
                self.write_step(line, final=line.step is final)
        return [self.variables[v] for v in wanted]

    def hold(self, value: Value, name: str) -> None:
        """Note that a variable holds a value."""
        self.variables[value] = name
        self.held[name] = value

    def live(self, wanted: Collection[Value]) -> list[Step]:
        """Return the steps that the wanted values depend on."""
        needed, found = {*wanted}, []
        for step in reversed(self.steps):
            if needed.intersection(step.outputs):
                needed.update(step.inputs)
                found.append(step)
        return found[::-1]

    def dead(self, results: Iterable[Value]) -> list[Step]:
        """Return the steps that the results do not depend on."""
        live = {*self.live([self.source(v) for v in results])}
        return [step for step in self.steps if step not in live]

    def label(self, path: str) -> str:
        """Return the source of a layer's name."""
        if not self.prefix:
            return literal(path.replace("/", "."))
        if path == self.prefix:
            return "name"
        return f'f"{{name}}.{path.removeprefix(self.prefix + "/").replace("/", ".")}"'

    def rest(self, line: _Line) -> Hashable:
        """Return what of a step a loop must not change; None for what stands in no loop."""
        node, [target, *more] = line.step.node, line.targets
        if not isinstance(node.op, Instance) or more or line.inputs != (target,):
            return None
        texts = tuple(map(one_line, self.definition.arguments(node)))
        return self.calls[node].name, texts, target, node.output.shape

    def write_loop(self, line: _Line, run: Run) -> None:
        """Write one statement for steps that differ in the number behind their names."""
        node = line.step.node
        number = self.unused("i")
        self.taken.discard(number)
        place = "" if not self.prefix else "{name}."
        base = run.base.removeprefix(f"{self.prefix}/" if self.prefix else "").replace("/", ".")
        label = f'f"{place}{base}{{{number}}}"'
        made = call(self.calls[node].name, *line.inputs, label, *self.definition.arguments(node))
        comment = shape_text(node.output.shape) if self.comments else ""
        self.body.append(f"    for {number} in {run.numbers}:")
        self.body += assign(line.targets[0], made, 8, comment)

    def write_step(self, line: _Line, *, final: bool) -> None:
        """Write one step; what is `final` is returned."""
        step, inputs, targets = line.step, line.inputs, line.targets
        node, label = step.node, self.label(step.path)
        texts = self.definition.arguments(node)
        prefix = "return " if final else f"{', '.join(targets)} = "
        comment = shape_text(node.output.shape) if self.comments and len(targets) == 1 else ""
        if len(targets) > 1:
            sizes = array(self.definition.shares[node])
            made = call(self.lines.need("Split"), sizes, f"name={label}", tail=f"({inputs[0]})")
        elif isinstance(node.op, Instance):
            made = call(self.calls[node].name, inputs[0], label, *texts)
        elif isinstance(node.op, Fork) or node.op.key in ("concat", "add"):
            join = node.op.join if isinstance(node.op, Fork) else node.op.key
            layer = "layers.Concatenate" if join == "concat" else "layers.Add"
            listed = f"([{', '.join(inputs)}])"
            made = self.joined(call(layer, f"name={label}", tail=listed), prefix, inputs)
        else:
            described = self.lines.describe(node)
            assert described is not None
            function = described.function
            if function in self.lines.styles.values():
                made = call(function, inputs[0], label, *texts)
            else:
                made = call(function, *texts, f"name={label}", tail=f"({inputs[0]})")
        if final:
            self.has_returned = True
            self.body += statement(prefix, made, 4)
        else:
            self.body += assign(", ".join(targets), made, 4, comment)

    def joined(self, made: Expression, prefix: str, inputs: Sequence[str]) -> Expression:
        """List the branches in a statement of their own where the join would not fit its line."""
        if len(made.lines(4, prefix)) == 1:
            return made
        branches = self.unused("branches")
        self.taken.discard(branches)
        self.body += assign(branches, array(inputs), 4)
        return Expression(made.open, made.arguments, made.close, tail=f"({branches})")
