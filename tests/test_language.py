"""What specs mean: every file in cases/language compiles to the text beside it.

Each spec says in its first lines what it proves. To write the texts anew after the language or the
printer changed, and then to read each of them:

    ARCHC_UPDATE=1 pytest tests/test_language.py && git diff tests/cases/language
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from archcompiler import expand, expression
from archcompiler.compiler import compile_file, compile_node
from archcompiler.errors import ArchcError
from archcompiler.ir import Fork, Graph, Instance, Node, Value
from archcompiler.printer import to_text
from archcompiler.source import parse

CASES = Path(__file__).parent / "cases" / "language"
SPECS = Path(__file__).parents[1] / "specs"
NAMES = sorted({path.stem for path in CASES.iterdir()})
PATHS = sorted([*CASES.glob("*.yaml"), *SPECS.glob("*.yaml")])


def networks() -> list[object]:
    return [pytest.param(path, id=path.stem) for path in PATHS]


@pytest.mark.parametrize("name", NAMES)
def test_text(name: str) -> None:
    spec, path = CASES / f"{name}.yaml", CASES / f"{name}.txt"
    assert spec.is_file(), f"{path.name} has no spec: remove it"
    found = to_text(compile_file(spec).network)
    if os.environ.get("ARCHC_UPDATE"):
        path.write_text(found, "utf-8")
    else:
        assert found == (path.read_text("utf-8") if path.exists() else "")


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_proves(name: str) -> None:
    assert (CASES / f"{name}.yaml").read_text("utf-8").startswith("# ")


@pytest.mark.parametrize("path", networks())
def test_positions_point_at_the_layer(path: Path) -> None:
    network = compile_file(path).network
    for node in network.walk():
        position = node.position
        assert network.lineage or position.source.name == str(path)
        rest = position.source.line(position.line)[position.column - 1 :]
        word = node.op.key
        # A list stands for the group that a head or branch is.
        assert rest.startswith((word, "[", "- ")), (node.path, rest)


@pytest.mark.parametrize("path", networks())
def test_values_are_defined_before_they_are_used(path: Path) -> None:
    network = compile_file(path).network
    names: list[str] = []
    seen = {network.input}

    def enter(graph: Graph, visible: set[Value]) -> set[Value]:
        inside = {*visible, graph.input}
        for node in graph.nodes:
            use(node, inside)
        assert graph.output in ({graph.input} | {n.output for n in graph.nodes})
        return inside

    def use(node: Node, visible: set[Value]) -> None:
        assert set(node.inputs) <= visible, node.path
        for graph in node.graphs:
            names.append(graph.input.name)
            enter(graph, set() if isinstance(node.op, Instance) else visible)
        names.append(node.output.name)
        visible.add(node.output)

    for section in (network.stem, network.body):
        seen = enter(section, seen)
    for head in network.heads:
        use(head.node, seen)
    assert network.body.input is network.stem.output
    assert len({*names, "input"}) == len(names) + 1


@pytest.mark.parametrize("path", networks())
def test_paths_and_weights_are_unique_ignoring_case(path: Path) -> None:
    nodes = list(compile_file(path).network.walk())
    paths = [n.path.lower() for n in nodes]
    assert len(set(paths)) == len(paths)
    weights = [f"{n.path}.{w.part}.{w.name}".lower() for n in nodes for w in n.weights]
    assert len(set(weights)) == len(weights)
    assert all(n.named for n in nodes if n.weights)


@pytest.mark.parametrize("path", networks())
def test_paths_are_made_of_names(path: Path) -> None:
    network = compile_file(path).network

    def check(node: Node, prefix: str, single: str = "") -> None:
        whole = f"{prefix}/{node.name}".removeprefix("/")
        assert node.path in ({single} if single else {whole})
        for graph in node.graphs:
            inside, alone = node.path if node.named else prefix, ""
            if isinstance(node.op, Fork):
                branch = f"{inside}/{graph.name}".removeprefix("/")
                alone = branch if node.has_single(graph) else ""
                inside = branch
            for inner in graph.nodes:
                check(inner, inside, alone)

    for node in (*network.trunk, *(h.node for h in network.heads)):
        check(node, "")


@pytest.mark.parametrize("path", networks())
def test_shapes_add_up(path: Path) -> None:
    for node in compile_file(path).network.walk():
        assert all(n > 0 for n in node.output.shape)
        if not isinstance(node.op, Fork):
            assert all(g.input.shape == node.inputs[0].shape for g in node.graphs)
            assert all(g.output.shape == node.output.shape for g in node.graphs)
            continue
        outputs = [g.output.channels for g in node.graphs]
        joined = sum(outputs) if node.op.join == "concat" else outputs[0]
        assert joined == node.output.channels
        entering = [g.input.channels for g in node.graphs]
        assert sum(entering) == node.inputs[0].channels * (1 if node.op.split else len(entering))


@pytest.mark.parametrize("path", networks())
def test_end_points_are_named_layers_in_order(path: Path) -> None:
    network = compile_file(path).network
    names = [e.name for e in network.end_points]
    assert len(set(names)) == len(names)
    assert all(e.node.named for e in network.end_points)

    def inside_out(nodes: Iterable[Node]) -> list[Node]:
        return [n for node in nodes for n in (*inside_out(held(node)), node)]

    def held(node: Node) -> list[Node]:
        return [n for graph in node.graphs for n in graph.nodes]

    order = inside_out([*network.trunk, *(h.node for h in network.heads)])
    places = [order.index(e.node) for e in network.end_points]
    assert places == sorted(places)
    assert {h.node for h in network.heads} <= {*order}


HEAD = """
archc: 1
name: net
input: 4x4x2
defaults: {conv: {kernel: 1, padding: valid}, max_pool: {padding: same, stride: 1}}
"""
TAIL = "heads: {Logits: [flatten]}"
REFUSED = {
    "one layer twice by alias": (
        "E305",
        "stem: []\nbody: [&a {conv: 2, name: a}, *a]",
    ),
    "one layer twice by an unnamed repeat": (
        "E305",
        "stem: []\nbody: [{layers: [{conv: 2, name: a}], repeat: 2}]",
    ),
    "repeat with no name": ("E204", "stem: []\nbody: [{max_pool: 2, repeat: []}]"),
    "repeated branch": (
        "E209",
        "stem: []\nbody: [{branches: {a: {conv: 2, repeat: 2}, b: []}}]",
    ),
    "split with null": (
        "E204",
        "stem: []\nbody: [{branches: {a: [], b: []}, split: {a: null, b: 2}}]",
    ),
    "split with a word": (
        "E204",
        "stem: []\nbody: [{branches: {a: [], b: []}, split: {a: two, b: 2}}]",
    ),
    "block with the keys of a layer": (
        "E201",
        "blocks: {b: {layers: [], expect: 1}}\nstem: []\nbody: [{block: b, name: b}]",
    ),
    "block that is a block": (
        "E202",
        "blocks: {b: {layers: []}, c: {block: b}}\nstem: []\nbody: [{block: c, name: c}]",
    ),
    "version that is no number": ("E207", "stem: []\nbody: []"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    code, text = REFUSED[name]
    head = HEAD.replace("archc: 1", "archc: true") if code == "E207" else HEAD
    with pytest.raises(ArchcError) as caught:
        compile_node(parse(f"{head}{text}\n{TAIL}\n", "net.yaml"), source="net.yaml")
    assert {d.code for d in caught.value.diagnostics} == {code}
    assert all(d.position for d in caught.value.diagnostics)


def test_a_head_cannot_be_repeated() -> None:
    text = f"{HEAD}stem: []\nbody: []\nheads: {{Logits: {{conv: 2, repeat: 2}}}}\n"
    with pytest.raises(ArchcError, match="`repeat` gives several"):
        compile_node(parse(text, "net.yaml"), source="net.yaml")


@pytest.mark.parametrize("depth", [60, 3000])
def test_nesting_has_a_limit(depth: int) -> None:
    blocks = "".join(f"  b{n}: {{layers: [{{block: b{n + 1}, name: a}}]}}\n" for n in range(depth))
    blocks += f"  b{depth}: {{layers: [{{max_pool: 2}}]}}\n"
    text = f"{HEAD}blocks:\n{blocks}stem: []\nbody: [{{block: b0, name: a}}]\n{TAIL}\n"
    if depth == 60:
        network = compile_node(parse(text, "net.yaml"), source="net.yaml").network
        assert len(list(network.walk())) == depth + 4
        return
    with pytest.raises(ArchcError, match="deeper than 64"):
        compile_node(parse(text, "net.yaml"), source="net.yaml")


@pytest.mark.parametrize(
    ("link", "channels"),
    [("$p{}", None), ("$p{} - p{} + 1", 1), ("$" + "-" * 46 + "p{}", 3)],
    ids=["long", "doubling", "deep"],
)
def test_parameters_in_a_chain(link: str, channels: int | None) -> None:
    """A parameter read twice is evaluated once; a chain without end is an error."""
    length = 150 if link == "$p{}" else 60
    params = ", ".join(f"p{n}: {link.replace('{}', str(n + 1))}" for n in range(length))
    block = f"{{params: {{{params}, p{length}: 3}}, layers: [{{conv: $p0, name: c}}]}}"
    text = f"{HEAD}blocks: {{b: {block}}}\nstem: []\nbody: [{{block: b, name: b}}]\n{TAIL}\n"
    if channels is None:
        with pytest.raises(ArchcError, match="has no value"):
            compile_node(parse(text, "net.yaml"), source="net.yaml")
        return
    network = compile_node(parse(text, "net.yaml"), source="net.yaml").network
    assert network.body.output.channels == channels


@pytest.mark.parametrize(
    ("patches", "layers"),
    [
        ("{set: c, repeat: 2}, {set: g/d, repeat: null}, {set: g/e, repeat: null}", 4),
        ("{remove: c}, {remove: g/e}, {set: g/d, repeat: 3}", 3),
        ("{set: c, repeat: [x, y], name: null}, {remove: y}, {set: g, layers: []}", 1),
        ("{set: c, repeat: 2}, {remove: c_1}, {replace: g, by: {conv: 1, name: z}}", 2),
        ("{remove: c}", None),
    ],
)
def test_what_patches_make_small_is_not_too_large(patches: str, layers: int | None) -> None:
    """Layers are counted before they are expanded, but none that a patch may take away."""
    many = "{conv: 1, name: d, repeat: 60000}, {conv: 1, name: e, repeat: 60000}"
    body = f"[{{conv: 1, name: c, repeat: 200000}}, {{layers: [{many}], name: g}}]"
    text = f"{HEAD}stem: []\nbody: {body}\npatch: [{patches}]\n{TAIL}\n"
    if layers is None:
        with pytest.raises(ArchcError, match="more than 100,000 layers"):
            compile_node(parse(text, "net.yaml"), source="net.yaml")
        return
    network = compile_node(parse(text, "net.yaml"), source="net.yaml").network
    assert sum(node.op.key == "conv" for node in network.walk()) == layers


@pytest.mark.parametrize(
    "block",
    [
        "{layers: [{branches: {a: [], b: []}, join: add, name: f}]}",
        "{params: {p: 8, q: 1}, layers: [{conv: $p, stride: $q, name: c}]}",
        "{layers: [{identity, name: c}, {add, from: [c, c], name: d}]}",
        "{layers: [{conv: 8, name: c}], defaults: {conv: {bias: true, stride: 1}}}",
    ],
)
def test_what_a_use_is_given_counts(monkeypatch: pytest.MonkeyPatch, block: str) -> None:
    """Two values a use, so 300 uses are given 600."""
    body = "body: [{block: b, name: b, repeat: 300}]"
    text = f"{HEAD}blocks: {{b: {block}}}\nstem: []\n{body}\n{TAIL}\n"
    monkeypatch.setattr(expand, "MAX_GIVEN", 600)
    compile_node(parse(text, "net.yaml"), source="net.yaml")
    monkeypatch.setattr(expand, "MAX_GIVEN", 599)
    with pytest.raises(ArchcError, match="more than 599 inputs, branches, parameters and defaults"):
        compile_node(parse(text, "net.yaml"), source="net.yaml")


@pytest.mark.parametrize("first", [0, 50, 99])
def test_a_chain_is_as_long_whatever_is_read_first(first: int) -> None:
    params = ", ".join(f"p{n}: $p{n + 1}" for n in range(100))
    layers = f"[{{conv: $p{first}, name: c}}, {{conv: $p0, name: d}}]"
    block = f"{{params: {{{params}, p100: 3}}, layers: {layers}}}"
    text = f"{HEAD}blocks: {{b: {block}}}\nstem: []\nbody: [{{block: b, name: b}}]\n{TAIL}\n"
    with pytest.raises(ArchcError, match=r"`\$p0` has no value: its parameters depend on more"):
        compile_node(parse(text, "net.yaml"), source="net.yaml")


def test_a_parameter_is_evaluated_once_for_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What depends on no shape is evaluated once in its scope, and once as an argument."""
    counted = Counter[str]()
    evaluate = expression.evaluate

    def counting(value: expression.Expression, lookup: Any) -> Any:
        counted[value.text] += 1
        return evaluate(value, lookup)

    monkeypatch.setattr(expression, "evaluate", counting)
    params = "{n: 4, m: $n + 1, k: $m + m, c: $in_channels + m}"
    layers = (
        "[{conv: $k, kernel: $k - 9, padding: $k - 10, name: a, repeat: 50}, {conv: $c, name: z}]"
    )
    block = f"{{params: {params}, layers: {layers}}}"
    text = f"{HEAD}blocks: {{b: {block}}}\nstem: []\nbody: [{{block: b, name: b}}]\n{TAIL}\n"
    network = compile_node(parse(text, "net.yaml"), source="net.yaml").network
    assert network.body.output.channels == 2 + 5
    assert counted["m + m"] == counted["n + 1"] == 2
    assert counted["k - 9"] == 50
