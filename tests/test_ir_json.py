"""architecture.json: what is written can be read, and nothing that does not follow can."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archcompiler.compiler import compile_file, compile_node
from archcompiler.errors import ArchcError
from archcompiler.ir import Graph, Network, Node
from archcompiler.ir_json import from_json, to_json
from archcompiler.json_text import json_text
from archcompiler.printer import to_text
from archcompiler.source import parse

CASES = Path(__file__).parent / "cases" / "language"
SPECS = Path(__file__).parents[1] / "specs"
PATHS = sorted([*CASES.glob("*.yaml"), *SPECS.glob("*.yaml")])


def facts(network: Network) -> object:
    """Return everything a network says, with positions as text and values by name."""

    def graph(one: Graph) -> object:
        return one.name, one.input.name, one.input.shape, one.output.name, [*map(node, one.nodes)]

    def node(one: Node) -> object:
        return (
            (one.name, one.path, one.named, one.op, [v.name for v in one.inputs]),
            (one.output.name, one.output.shape, one.weights, one.macs, one.follows_size),
            (dict(one.expressions), Path(one.position.source.name).name),
            (one.position.line, one.position.column, [graph(g) for g in one.graphs]),
        )

    return (
        (network.name, network.summary, network.source, network.params, network.free_params),
        (graph(network.stem), graph(network.body), network.output),
        [(h.name, h.training_only, h.loss_weight, node(h.node)) for h in network.heads],
        [(e.name, e.node.path) for e in network.end_points],
    )


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_round_trip(path: Path) -> None:
    network = compile_file(path).network
    text = to_json(network)
    again = from_json(text)
    assert facts(again) == facts(network)
    assert to_text(again) == to_text(network)
    assert to_json(again) == text


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_form(path: Path) -> None:
    text = to_json(compile_file(path).network)
    assert text.isascii()
    assert text.endswith("}\n")
    long = [line for line in text.splitlines() if len(line) > 100]
    assert all('"summary"' in line for line in long)
    assert text == to_json(compile_file(path).network)


def test_does_not_name_folders(tmp_path: Path) -> None:
    """The same spec gives the same text wherever it lies."""
    path = tmp_path / "inception_v3.yaml"
    path.write_bytes((SPECS / path.name).read_bytes())
    assert to_json(compile_file(path).network) == to_json(compile_file(SPECS / path.name).network)
    assert str(tmp_path) not in to_json(compile_file(path).network)


def test_numbers_of_inception_v3() -> None:
    found = json.loads(to_json(compile_file(SPECS / "inception_v3.yaml").network))
    assert found["totals"]["params"] == 27_179_376
    assert found["totals"]["trainable"] == 27_143_152
    assert found["inference"]["params"] == 23_851_784
    first = found["stem"]["layers"][0]
    assert (first["output"], first["macs"]) == ("149x149x32", 149 * 149 * 32 * 27)
    assert first["weights"][0] == {
        "part": "conv",
        "name": "kernel",
        "shape": "3x3x3x32",
        "init": {"truncated_normal": 0.1},
        "decay": 4e-5,
    }
    assert first["position"] == "inception_v3.yaml:97:8"
    assert found["end_points"]["PreLogits"] == "Logits/PreLogits"


# Reading what is wrong

SPEC = """
archc: 1
name: net
summary: a small one
input: 6x6x2
output: Logits
params: {classes: 3, wide: true}
defaults:
  conv: {kernel: 1, padding: valid, norm: batch_norm}
  batch_norm: {epsilon: 1e-3, decay: 0.9, gamma: $wide}
blocks:
  res:
    params: {mid: null}
    layers:
      - {conv: $mid, name: a}
      - {conv: $in_channels, name: b, activation: relu}
      - {add, from: [input, b], name: sum}
stem:
  - {conv: 4, name: s, kernel: 3, stride: 2, padding: same}
body:
  - {block: res, with: {mid: 5}, name: r}
  - {branches: {one: {conv: 2}, two: [{conv: 3, name: c}], three: []}, name: f}
  - {branches: {one: [], two: []}, split: {one: 4, two: 5}, name: g}
  - {name: h, layers: [{max_pool: 2, stride: 2, padding: same}]}
  - {global_avg_pool, name: p}
heads:
  Side: {dense: 3, from: p, training_only: true, loss_weight: 0.5}
  Logits: {from: h, layers: [flatten, {dense: $classes, name: fc, end_point: true}]}
"""


def small() -> Any:
    return json.loads(to_json(compile_node(parse(SPEC, "net.yaml"), source="net.yaml").network))


def at(document: Any, path: str) -> tuple[Any, Any]:
    """Return the container and the key that a path such as `stem.layers[0].macs` ends in."""
    steps = [int(s) if s.isdigit() else s for s in re.findall(r"\w+", path)]
    for step in steps[:-1]:
        document = document[step]
    return document, steps[-1]


def problems(document: Any) -> list[str]:
    with pytest.raises(ArchcError) as caught:
        from_json(json_text(document))
    assert {d.code for d in caught.value.diagnostics} == {"E113"}
    messages = [d.message for d in caught.value.diagnostics]
    assert all(m.startswith("architecture.json: ") for m in messages)
    return [m.removeprefix("architecture.json: ") for m in messages]


RES = "body.layers[0].graphs[0].layers"
CHANGES: list[tuple[str, object, str]] = [
    # (where, what instead, where the message points)
    ("format", 2, "format"),
    ("archc", 1, "archc"),
    ("name", "no name", "name"),
    ("name", None, "name"),
    ("summary", 1, "summary"),
    ("params.classes", [1], "params.classes"),
    ("params", {"y": 1}, "free_params[0]"),
    ("params.not a name", 1, "params.not a name"),
    ("free_params", ["nothing"], "free_params[0]"),
    ("input", "6x6", "input"),
    ("input", "0x6x2", "input"),
    ("input", "6x6x3", "stem.layers[0].weights[0].shape"),
    ("output", "Side", "output"),
    ("output", "Nobody", "output"),
    ("totals.params", 1, "totals.params"),
    ("totals.macs", 1.0, "totals.macs"),
    ("inference.trainable", 0, "inference.trainable"),
    ("end_points.s", "r", "end_points.s"),
    ("end_points.x", "s", "end_points.x"),
    ("end_points.fc", "Logits/gone", "end_points.fc"),
    ("stem.layers[0].op", "cnov", "stem.layers[0].op"),
    ("stem.layers[0].op", 3, "stem.layers[0].op"),
    ("stem.layers[0].op", "branches", "stem.layers[0].join"),
    ("stem.layers[0].name", "class", "stem.layers[0].name"),
    ("stem.layers[0].path", "t", "stem.layers[0].path"),
    ("stem.layers[0].inputs", [], "stem.layers[0].inputs"),
    ("stem.layers[0].inputs", ["nothing"], "stem.layers[0].inputs[0]"),
    ("stem.layers[0].inputs", ["s"], "stem.layers[0].inputs[0]"),
    ("stem.layers[0].inputs", ["r"], "stem.layers[0].inputs[0]"),
    ("stem.layers[0].inputs", ["input", "input"], "stem.layers[0].inputs"),
    ("stem.layers[0].output", "3x3x5", "stem.layers[0].output"),
    ("stem.layers[0].output", 3, "stem.layers[0].output"),
    ("stem.layers[0].attributes.kernel", "map", "stem.layers[0].attributes.kernel"),
    ("stem.layers[0].attributes.kernel", "3x3", "stem.layers[0].attributes.kernel"),
    ("stem.layers[0].attributes.kernel", [3, 3], "stem.layers[0].attributes.kernel"),
    ("stem.layers[0].attributes.shrink", True, "stem.layers[0].attributes.shrink"),
    ("stem.layers[0].attributes.filters", 5, "stem.layers[0].output"),
    ("stem.layers[0].attributes.filters", "4", "stem.layers[0].attributes.filters"),
    ("stem.layers[0].attributes.groups", 3, "stem.layers[0]"),
    ("stem.layers[0].attributes.norm", "batch_norm", "stem.layers[0].attributes.norm"),
    ("stem.layers[0].attributes.activation", None, "stem.layers[0].attributes.activation"),
    ("stem.layers[0].macs", 0, "stem.layers[0].macs"),
    ("stem.layers[0].weights", [], "stem.layers[0].weights"),
    ("stem.layers[0].weights[0].shape", "3x3x2x5", "stem.layers[0].weights[0].shape"),
    ("stem.layers[0].weights[0].part", "", "stem.layers[0].weights[0].part"),
    ("stem.layers[0].weights[0].decay", -1.0, "stem.layers[0].weights[0].decay"),
    ("stem.layers[0].weights[0].trainable", False, "stem.layers[0].weights[0].trainable"),
    ("stem.layers[0].weights[3].trainable", True, "stem.layers[0].weights[3].trainable"),
    ("stem.layers[0].weights[0].init", "zeros", "stem.layers[0].weights[0].init"),
    ("stem.layers[0].weights[0].more", 1, "stem.layers[0].weights[0].more"),
    ("stem.layers[0].follows_size", False, "stem.layers[0].follows_size"),
    ("stem.layers[0].position", "net.yaml", "stem.layers[0].position"),
    ("stem.layers[0].position", "net.yaml:0:1", "stem.layers[0].position"),
    ("stem.layers[0].position", "specs/net.yaml:1:1", "stem.layers[0].position"),
    ("stem.layers[0].named", False, "stem.layers[0].named"),
    ("stem.layers[0].colour", "red", "stem.layers[0].colour"),
    ("stem.input", "s", "stem.input"),
    ("stem.output", "r", "stem.output"),
    ("stem.name", "body", "stem.name"),
    ("body.input", "input", "body.input"),
    ("body.layers[0].name", "s", "body.layers[0].path"),
    ("body.layers[0].template", "3", "body.layers[0].template"),
    ("body.layers[0].arguments.mid", 6, f"{RES}[0].expressions.filters"),
    ("body.layers[0].arguments.input", 6, "body.layers[0].arguments.input"),
    ("body.layers[0].named", False, "body.layers[0].named"),
    ("body.layers[0].expressions", {"mid": "6"}, "body.layers[0].expressions.mid"),
    ("body.layers[0].expressions", {"x": "6"}, "body.layers[0].expressions.x"),
    ("body.layers[0].attributes", {}, "body.layers[0].attributes"),
    (f"{RES}[0].expressions.filters", "mid +", f"{RES}[0].expressions.filters"),
    (f"{RES}[0].expressions.filters", "gone", f"{RES}[0].expressions.filters"),
    (f"{RES}[0].expressions.filters", "__import__('os')", f"{RES}[0].expressions.filters"),
    (f"{RES}[0].expressions.colour", "mid", f"{RES}[0].expressions.colour"),
    (f"{RES}[0].expressions.bias", "mid", f"{RES}[0].expressions.bias"),
    (f"{RES}[0].expressions.norm", "mid", f"{RES}[0].expressions.norm"),
    (f"{RES}[0].inputs", ["s"], f"{RES}[0].inputs[0]"),
    (f"{RES}[1].inputs", ["r/b"], f"{RES}[1].inputs[0]"),
    (f"{RES}[1].path", "b", f"{RES}[1].path"),
    (f"{RES}[2].inputs", ["r:input"], f"{RES}[2].inputs"),
    (f"{RES}[2].inputs", ["r:input", "r/a"], f"{RES}[2]"),
    ("body.layers[1].join", "mean", "body.layers[1].join"),
    ("body.layers[1].join", "add", "body.layers[1]"),
    ("body.layers[1].split", [1, 2], "body.layers[1].split"),
    ("body.layers[1].split", [1, 2, 2], "body.layers[1].split"),
    ("body.layers[1].expressions", {"join": "1"}, "body.layers[1].expressions.join"),
    ("body.layers[2].expressions", {"one": "5"}, "body.layers[2].expressions.one"),
    ("body.layers[2].expressions", {"one": "4.0"}, "body.layers[2].expressions.one"),
    ("body.layers[3].expressions", {"one": "4"}, "body.layers[3].expressions"),
    ("body.layers[0].patched", ["a b"], "body.layers[0].patched[0]"),
    ("body.layers[0].patched", ["a/forward"], "body.layers[0].patched[0]"),
    ("body.layers[1].graphs[0].name", "two", "body.layers[1].graphs[0].layers[0].path"),
    ("body.layers[1].graphs[2].name", "ONE", "body.layers[1].graphs[2].name"),
    ("body.layers[1].graphs[2].name", "forward", "body.layers[1].graphs[2].name"),
    ("body.layers[1].graphs[1].layers[0].inputs", ["f/one"], "body.layers[1].graphs[1].layers[0]"),
    ("body.layers[2].split", [5, 5], "body.layers[2].split"),
    ("body.layers[2].split", [0, 9], "body.layers[2].split[0]"),
    ("body.layers[3].graphs", [], "body.layers[3].graphs"),
    ("body.layers[3].graphs[0].layers[0].name", "a b", "body.layers[3].graphs[0].layers[0].name"),
    ("heads", [], "heads"),
    ("heads[0].loss_weight", None, "heads[0].loss_weight"),
    ("heads[0].training_only", False, "heads[0].loss_weight"),
    ("heads[0].name", "Other", "heads[0].layer.path"),
    ("heads[0].layer.inputs", ["h/max_pool"], "heads[0].layer.inputs[0]"),
    ("heads[0].layer.inputs", ["Logits"], "heads[0].layer.inputs[0]"),
]


@pytest.mark.parametrize(
    ("where", "value", "points"), CHANGES, ids=[f"{w}={v}"[:60] for w, v, _ in CHANGES]
)
def test_what_does_not_follow_is_refused(where: str, value: object, points: str) -> None:
    document = small()
    if where.startswith("params.not a name"):
        document["params"]["not a name"] = value
    else:
        inner, key = at(document, where)
        inner[key] = value
    first = problems(document)[0]
    assert first.startswith(points), first


def removals() -> Iterator[str]:
    """Yield the places of everything that a file must hold."""
    yield from ("format", "archc", "name", "summary", "source", "params", "free_params", "input")
    yield from ("output", "totals", "inference", "end_points", "stem", "body", "heads")
    yield from (f"stem.{key}" for key in ("name", "input", "output", "layers"))
    for key in ("name", "path", "op", "inputs", "output", "attributes", "weights", "macs"):
        yield f"stem.layers[0].{key}"
    yield from ("stem.layers[0].follows_size", "stem.layers[0].position")
    yield from (f"stem.layers[0].attributes.{key}" for key in ("filters", "bias", "norm"))
    yield from (f"body.layers[0].{key}" for key in ("template", "arguments", "graphs"))
    yield from ("body.layers[1].join", "body.layers[2].split", "body.layers[1].graphs[0].name")
    yield from ("heads[0].training_only", "heads[0].loss_weight", "heads[0].layer")
    yield "end_points.s"


@pytest.mark.parametrize("where", [*removals()])
def test_what_is_missing_is_named(where: str) -> None:
    document = small()
    inner, key = at(document, where)
    del inner[key]
    if where == "end_points.s":  # a pass may drop one: there is no rule that names them
        assert "s" not in [e.name for e in from_json(json_text(document)).end_points]
        return
    first = problems(document)[0]
    part = where.rpartition(".")[0] if where.endswith(("graphs[0].name", "split")) else where
    assert first.startswith(part), first


def test_all_differences_of_a_layer_are_named() -> None:
    document = small()
    layer = document["stem"]["layers"][0]
    layer["macs"], layer["output"] = 1, "1x1x1"
    document["totals"]["macs"] = 2
    found = [p.partition(":")[0] for p in problems(document)]
    assert found == ["stem.layers[0].output", "stem.layers[0].macs"]


def test_sums_come_last() -> None:
    document = small()
    document["totals"]["macs"] = document["inference"]["params"] = 2
    document["body"]["name"] = "trunk"
    found = [p.partition(":")[0] for p in problems(document)]
    assert found == ["body.name", "totals.macs", "inference.params"]


def test_two_layers_of_one_path() -> None:
    document = small()
    assert json.loads(to_json(from_json(json_text(document)))) == document
    document["body"]["layers"].append(copy.deepcopy(document["stem"]["layers"][0]))
    assert "is the path of another layer" in problems(document)[0]


def test_a_circle() -> None:
    document = small()
    document["stem"]["layers"][0]["inputs"] = ["g"]
    assert problems(document)[0].startswith("stem.layers[0].inputs[0]: no earlier layer")


def test_nesting_has_a_limit() -> None:
    document = small()
    group = document["body"]["layers"][3]
    for _ in range(70):
        outer = copy.copy(group)
        outer["graphs"] = [{"input": "h:input", "output": "h:input", "layers": [group]}]
        group = outer
    document["body"]["layers"][3] = group
    assert len(problems(document)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is no JSON"),
        ("{", "this is no JSON"),
        ("[]", "input should be a valid dictionary"),
        ("null", "input should be a valid dictionary"),
        ('{"name": 1, "name": 2}', "`name` is written twice"),
        ('{"name": NaN}', "NaN is out of range"),
        ('{"name": 1e999}', "1e999 is out of range"),
        ('{"name": -Infinity}', "-Infinity is out of range"),
        ("[" * 100_000, "nested too deep"),
        ('{"name": ' + "9" * 5000 + "}", "this is no JSON"),
        (r'{"name": "\ud800"}', ""),
        (r'{"\ud800": 1}', ""),
    ],
    ids=range(12),
)
def test_no_json(text: str, message: str) -> None:
    with pytest.raises(ArchcError) as caught:
        from_json(text)
    assert {d.code for d in caught.value.diagnostics} == {"E113"}
    assert message in caught.value.diagnostics[0].message


def scalars(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every leaf of a document as its container and key."""
    for key, part in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(part, dict | list):
            yield from scalars(part)
        else:
            yield value, key


def read_or_refused(document: Any) -> Any:
    """Return what a document says once it is read, or None where it is refused with E113."""
    try:
        return json.loads(to_json(from_json(json_text(document))))
    except ArchcError as error:
        codes = {d.code for d in error.diagnostics}
    return codes - {"E113"} or None


@pytest.mark.parametrize("part", range(4))
def test_a_changed_leaf_is_refused_or_means_what_it_says(part: int) -> None:
    document = small()
    for inner, key in list(scalars(document))[part::4]:
        old = inner[key]
        for new in ("", "x", 7, -1, 0.25, True, None, [], {}):
            inner[key] = new
            found = read_or_refused(document)
            assert found is None or found | {"archc": ""} == document | {"archc": ""}
        inner[key] = old


def test_writing_does_not_import_the_reader() -> None:
    """Its models cost time, and a build only writes."""
    check = "import sys, archcompiler.ir_json; print('archcompiler.ir_reader' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, check=True, text=True
    )
    assert found.stdout == "False\n"
