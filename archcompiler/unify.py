"""From block instances to definitions with parameters: what both backends lower with.

All uses of a template are laid side by side. What is equal everywhere is written into the
definition; a declared parameter keeps its name; what differs otherwise becomes a parameter; uses
whose structure differs get a definition of their own. The template's name is that of the first use
that no patch addresses; the others are called after their first instance, too. Equal values are
never merged, definitions of one template that read the same are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archcompiler.arguments import IN_CHANNELS, Arguments
from archcompiler.definition import Arg, Call, Definition, Definitions, Describe
from archcompiler.errors import listed
from archcompiler.ir import Argument, Fork, Graph, Instance, Network, Node, Value


def unify(
    network: Network,
    describe: Describe,
    name: Callable[[str, str], str],
    body: Callable[[Definition, Mapping[Node, Definition]], Hashable],
    *,
    own_name: str,
    reserved: Collection[str],
    with_channels: bool,
) -> Definitions:
    """Define every template of a network, and the network itself, as `own_name`.

    `name` turns the name of a template, or of a template and an instance whose form differs, into
    that of a class or function. `body` gives the text of a definition below its name. `reserved`
    are the words that no parameter may shadow (it may grow while `name` is called).
    `with_channels` adds the input channels as a first parameter.
    """
    unifier = _Unifier(describe, name, body, network.params, reserved, with_channels)
    whole = Graph(
        name=network.name,
        input=network.input,
        nodes=(*network.trunk, *(h.node for h in network.heads)),
        output=network.output_head.node.output,
    )
    for template, nodes in _instances(whole).items():
        unifier.define(template, nodes)
    allowed = {k: network.params[k] for k in _open_params(network)}
    own = unifier.build(network.name, own_name, [whole], [allowed], named_only=True)
    return Definitions(blocks=tuple(unifier.definitions), network=own, of=unifier.of)


def _instances(graph: Graph) -> dict[str, list[Node]]:
    """Return instance nodes by template, inner templates first, whichever use has them."""
    found: dict[str, list[Node]] = {}
    inside: dict[str, dict[str, None]] = {}

    def visit(node: Node, around: tuple[str, ...]) -> None:
        own = (*around, node.op.template) if isinstance(node.op, Instance) else around
        for inner in node.graphs:
            for child in inner.nodes:
                visit(child, own)
        if isinstance(node.op, Instance):
            found.setdefault(node.op.template, []).append(node)
            for outer in around:
                inside.setdefault(outer, {})[node.op.template] = None

    for node in graph.nodes:
        visit(node, ())
    ordered: dict[str, list[Node]] = {}

    def place(template: str) -> None:
        if template not in ordered:
            for inner in inside.get(template, ()):
                place(inner)
            ordered[template] = found[template]

    for template in found:
        place(template)
    return ordered


def _open_params(network: Network) -> Iterator[str]:
    """Yield the parameters whose change alters no shape that another layer's weights depend on."""
    readers: dict[Value, list[Node]] = {}
    for node in network.walk():
        for value in node.inputs:
            readers.setdefault(value, []).append(node)

    def feeds_weights(value: Value) -> bool:
        waiting, seen = [value], {value}
        while waiting:
            for node in readers.get(waiting.pop(), ()):
                if node.weights or node.graphs:
                    return True
                if node.output not in seen:
                    seen.add(node.output)
                    waiting.append(node.output)
        return False

    for name in network.free_params:
        leaves = [
            (node, attribute)
            for node in network.walk()
            for attribute, text in node.expressions.items()
            if text == name
        ]
        effective = all(getattr(n.op, a, None) == network.params[name] for n, a in leaves)
        shapes = [n for n, a in leaves if a in ("filters", "units")]
        if leaves and effective and not any(feeds_weights(n.output) for n in shapes):
            yield name


def _patches(node: Node) -> tuple[str, ...]:
    """Return what patches of this instance alone address."""
    return node.op.patched if isinstance(node.op, Instance) else ()


def _instance(node: Node, taken: Collection[str]) -> str:
    """Return the end of an instance's path that is not taken; of a block's path, for its part."""
    assert isinstance(node.op, Instance)
    parts = node.path.split("/")[: -node.op.template.count("/") or None]
    ends = ("_".join(parts[start:]) for start in range(len(parts) - 1, -1, -1))
    return next((end for end in ends if end not in taken), "_".join(parts))


MOST_SAID = 3
"""So many uses, or patches of one, are named in a docstring."""


def _said(nodes: Sequence[Node]) -> str:
    """Say in what a definition differs from its template, and for whom."""
    paths = [n.path for n in nodes]
    more = f" and {len(paths) - MOST_SAID} more" if len(paths) > MOST_SAID else ""
    uses = f"{', '.join(paths[:MOST_SAID])}{more}"
    patches = dict.fromkeys(p for n in nodes for p in _patches(n))
    if not all(map(_patches, nodes)):
        return f"as in {uses}"
    if "." in patches or len(patches) > MOST_SAID:
        return f"as patched in {uses}"
    # A patch may have replaced or removed what it addresses, or have inserted beside it.
    gone = [path for path in patches if not any(_has(node, path) for node in nodes)]
    kept = [path for path in patches if path not in gone]
    said = [f"patched at {listed(kept, 'and')}"] if kept else []
    said += [f"without {listed(gone, 'and')}"] if gone else []
    return f"{', '.join(said)} in {uses}"


def _has(node: Node, path: str) -> bool:
    """Tell whether an instance has a layer or a branch of a path, or copies of it."""
    start = f"{node.path}/{path}"
    known = {
        name for n in node.walk() for name in (n.path, *(f"{n.path}/{g.name}" for g in n.graphs))
    }
    return any(name in (start, f"{start}_1") or name.startswith(f"{start}/") for name in known)


@dataclass(slots=True)
class _Unifier:
    describe: Describe
    name: Callable[[str, str], str]
    body: Callable[[Definition, Mapping[Node, Definition]], Hashable]
    constants: Mapping[str, Argument]
    reserved: Collection[str]
    with_channels: bool
    definitions: list[Definition] = field(default_factory=list)
    of: dict[Node, Definition] = field(default_factory=dict)

    def define(self, template: str, nodes: Sequence[Node]) -> None:
        groups: dict[object, list[Node]] = {}
        for node in nodes:
            groups.setdefault(self.signature(node), []).append(node)
        # The template as it is comes first.
        ordered = sorted(groups.values(), key=lambda group: all(map(_patches, group)))
        found: dict[Hashable, Definition] = {}
        taken: set[str] = set()
        for group in ordered:
            plain = group is ordered[0] and not all(map(_patches, group))
            instance = "" if plain else _instance(group[0], taken)
            taken.add(instance)
            name, said = self.name(template, instance), "" if plain else _said(group)
            made = self.group(template, name, group, said=said)
            self.of |= dict.fromkeys(group, made)
            text = self.body(made, self.of)
            if same := found.get(text):
                same.join(made)
                self.of |= dict.fromkeys(group, same)
            else:
                found[text] = made
        self.definitions += found.values()

    def group(self, template: str, name: str, nodes: Sequence[Node], *, said: str) -> Definition:
        """Define uses that have one structure."""
        arguments = [n.op.arguments for n in nodes if isinstance(n.op, Instance)]
        made = self.build(template, name, [n.graphs[0] for n in nodes], arguments)
        made.said = said
        return made

    def signature(self, node: Node) -> object:
        """Return what two uses must share to be one definition."""
        ids: dict[Value, object] = {v: f"input {i}" for i, v in enumerate(node.inputs)}
        return self._signature(node.graphs[0], ids)

    def _signature(self, graph: Graph, ids: dict[Value, object]) -> object:
        ids[graph.input] = "input 0"
        parts = []
        for index, node in enumerate(graph.nodes):
            inputs = tuple(ids.get(v) for v in node.inputs)
            if isinstance(node.op, Instance):
                definition = self.of[node]
                inner: object = (id(definition), tuple(p.name for p in definition.params))
            elif node.graphs:
                kind = (node.op.join, node.op.split is None) if isinstance(node.op, Fork) else ()
                inner = (kind, tuple((g.name, self._signature(g, dict(ids))) for g in node.graphs))
            else:
                made = self.describe(node)
                shown = [(a.keyword, a.wrap) for a in made.args] if made else []
                inner = (made.function if made else "", tuple(shown))
            parts.append((node.name, node.op.key, inputs, inner))
            ids[node.output] = index
        return (tuple(parts), ids.get(graph.output))

    def build(
        self,
        template: str,
        name: str,
        graphs: Sequence[Graph],
        arguments: Sequence[Mapping[str, Argument]],
        *,
        named_only: bool = False,
    ) -> Definition:
        resolved = Arguments(
            self.call,
            lambda node: self.of[node].leaves,
            graphs,
            arguments,
            constants=self.constants,
            reserved=self.reserved,
            with_channels=self.with_channels,
            named_only=named_only,
        )
        return Definition(
            template=template,
            name=name,
            graphs=tuple(graphs),
            params=resolved.ordered(),
            texts=resolved.texts,
            shares=resolved.shares,
            leaves=resolved.terms.get(graphs[0].output),
        )

    def call(self, node: Node) -> Call | None:
        """Describe any node: an op's layer, or the use of a definition."""
        if not isinstance(node.op, Instance):
            return None if node.graphs else self.describe(node)
        definition = self.of[node]
        values = definition.values(node.graphs[0])
        args = [
            Arg(
                keyword=p.name,
                value=values[p.name],
                field=p.origin or p.name,
                depends=tuple(sorted(p.needs)),
            )
            for p in definition.params
        ]
        if self.with_channels:
            enters = node.inputs[0]
            first = Arg(
                keyword=IN_CHANNELS, value=enters.channels, channels=enters, positional=True
            )
            args.insert(0, first)
        return Call(definition.name, tuple(args))
