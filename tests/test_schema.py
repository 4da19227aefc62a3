"""The editor's schema: up to date, valid, and of one mind with validation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from archcompiler import fields, layers, merge, schema, source, validate
from archcompiler.compiler import compile_file
from archcompiler.errors import ArchcError
from archcompiler.op import attributes
from archcompiler.ops import BY_KEY, OPS
from archcompiler.resolve import document
from archcompiler.spec import COMMON

ROOT = Path(__file__).parents[1]
CASES = Path(__file__).parent / "cases"
FILE = ROOT / "schema" / "archc.schema.json"
RIGHT = sorted([*(CASES / "language").glob("*.yaml"), *(ROOT / "specs").glob("*.yaml")])
ALL = sorted([*CASES.rglob("*.yaml"), *(ROOT / "specs").glob("*.yaml")])
CHECKER = jsonschema.Draft7Validator(schema.schema())


def plain(node: source.Node) -> Any:
    if isinstance(node, source.Mapping):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, source.Sequence):
        return [plain(item) for item in node.items]
    return node.value


def refusals(value: Any) -> list[str]:
    return [f"{e.json_path}: {e.message}"[:300] for e in CHECKER.iter_errors(value)]


def test_the_file_is_up_to_date() -> None:
    assert FILE.read_text("utf-8") == schema.text(), (
        "the language has changed: archc schema > schema/archc.schema.json"
    )


def test_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(json.loads(FILE.read_text("utf-8")))


def walk(value: Any) -> Any:
    yield value
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, dict | list):
            yield from walk(part)


def test_is_what_editors_do_best_with() -> None:
    nodes = [node for node in walk(schema.schema()) if isinstance(node, dict)]
    assert not any("title" in node and isinstance(node["title"], str) for node in nodes)
    assert not any(node.get("default", 0) is None for node in nodes)
    # Beside a `$ref` draft-07 ignores everything.
    assert all(len(node) == 1 for node in nodes if isinstance(node.get("$ref"), str))
    # Without its type the condition would hold for what is no mapping yet.
    conditions = [node["if"] for node in nodes if "if" in node]
    assert all("type" in condition for condition in conditions)
    references = {node["$ref"] for node in nodes if isinstance(node.get("$ref"), str)}
    names = {f"#/definitions/{name}" for name in schema.schema()["definitions"]}
    assert references == names, "every definition is used, and every one that is used is there"


@pytest.mark.parametrize("path", RIGHT, ids=lambda p: p.stem)
def test_accepts_specs(path: Path) -> None:
    assert refusals(plain(source.load(path))) == []


@pytest.mark.parametrize("path", RIGHT, ids=lambda p: p.stem)
def test_accepts_canonical_forms(path: Path) -> None:
    assert refusals(document(compile_file(path).network)) == []


@pytest.mark.parametrize("path", ALL, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_accepts_whatever_validation_accepts(path: Path) -> None:
    try:
        node = source.load(path)
        validate.validate(merge.merge([node]))
    except ArchcError:
        return
    assert refusals(plain(node)) == []


BASE = """
archc: 1
name: net
input: 4x4x2
params: {n: 1}
defaults: {conv: {kernel: 1, padding: valid}}
blocks: {b: {params: {m: 2}, layers: [{conv: $m, name: c}]}}
stem: [LAYER]
body: {layers: [{block: b, name: x}]}
heads: {Logits: HEAD}
"""


def spec(layer: str = "{conv: 3, name: a}", head: str = "[flatten]", text: str = BASE) -> Any:
    return source.parse(text.replace("LAYER", layer).replace("HEAD", head), "net.yaml")


def agree(node: source.Node) -> bool:
    """Return whether both accept the document. Fails where they do not agree."""
    try:
        validate.validate(merge.merge([node]))
        valid = True
    except ArchcError:
        valid = False
    found = refusals(plain(node))
    assert valid == (not found), found or "the schema accepts what validation does not"
    return valid


LAYERS = {
    True: [
        "flatten",
        "{flatten, name: a}",
        "{flatten: null}",
        "{conv: $n, kernel: map, shrink: true, width: none, name: a}",
        "{conv: 3, kernel: 1x7, stride: 2x1, dilation: 2, padding: 1x3, name: a}",
        "{conv: 3, padding: [0, 1, $n, 1], kernel: null, init: null, name: a}",
        "{conv: 3, width: {multiplier: $n, minimum: 2}, name: a}",
        "{conv: 3, width: {multiplier: 2}, name: a}",
        "{conv: 3, init: {variance_scaling: $n, mode: fan_in, distribution: normal}, name: a}",
        "{conv: 3, init: {constant: -1}, bias_init: ones, name: a}",
        "{conv: 3, norm: batch_norm, activation: relu, name: a}",
        "{conv: 3, norm: {batch_norm: {epsilon: $n, gamma: true, decay: 0.5}}, name: a}",
        "{conv: 3, norm: {batch_norm: {}}, activation: none, name: a}",
        "{conv: 3, norm: none, bias: $n, weight_decay: 1, name: a}",
        "{conv: 3, expect: 4x4x3, end_point: false, name: a, x-mine: [1, {a: 2}]}",
        "{conv: 3, expect: $n, repeat: $n, name: a}",
        "{conv: 3, expect: 12, repeat: [a, b]}",
        "{conv: 3, repeat: null, expect: null, name: a}",
        "{avg_pool: map, stride: 1, padding: valid, count_include_pad: false, ceil_mode: $n}",
        "{add, from: [input, a], name: b}",
        "{concat, from: a, name: b}",
        "{activate: none}",
        "{dropout: 0}",
        "{lrn: 5, alpha: 1, beta: 0.75, k: 2.5}",
        "{layers: []}",
        "{layers: [flatten, {dropout: 0.5}], name: g, defaults: {conv: {conv: 3}, lrn: {x-a: 1}}}",
        "{layers: flatten}",
        "{layers: {conv: 3, name: a}, repeat: 2, name: g}",
        "{block: b, with: {m: $n}, name: x, defaults: null}",
        "{block: b, with: null, name: x}",
        "{block: b, with: {m: true, x: word}, name: x}",
        "{branches: {a: [], b: flatten, c: {conv: 3, from: x, end_point: true}}}",
        "{branches: {a: {layers: []}, b: {branches: {c: [], d: []}}, x-c: 1}, join: add}",
        "{branches: {a: [], b: []}, split: {a: 1, b: $n}, name: f}",
    ],
    False: [
        "{}",
        "3",
        "true",
        "null",
        "[flatten]",
        "cnov",
        "layers",
        "{cnov: 3}",
        "{name: a}",
        "{kernel: 3}",
        "{conv: 3, max_pool: 2}",
        "{conv: 3, layers: []}",
        "{conv: 3, fitlers: 3}",
        "{conv: 3, filters: 3}",
        "{conv: 3, count_include_pad: true}",
        "{conv: '3'}",
        "{conv: 0}",
        "{conv: 3.5}",
        "{conv: true}",
        "{conv: [3]}",
        "{conv: 3, kernel: 3 x 3}",
        "{conv: 3, kernel: [3]}",
        "{conv: 3, kernel: 0}",
        "{conv: 3, kernel: whole}",
        "{conv: 3, stride: map}",
        "{conv: 3, padding: full}",
        "{conv: 3, padding: [1, 2]}",
        "{conv: 3, padding: [1, 2, 3, -1]}",
        "{conv: 3, padding: -1}",
        "{conv: 3, bias: 1}",
        "{conv: 3, activation: relo}",
        "{conv: 3, norm: batchnorm}",
        "{conv: 3, norm: {batch_norm: {epsilon: 0}}}",
        "{conv: 3, norm: {batch_norm: {eps: 1}}}",
        "{conv: 3, norm: {}}",
        "{conv: 3, norm: [batch_norm]}",
        "{conv: 3, init: xavier}",
        "{conv: 3, init: {xavier: 1}}",
        "{conv: 3, init: {constant: a}}",
        "{conv: 3, width: 2}",
        "{conv: 3, width: {minimum: 2}}",
        "{conv: 3, width: {multiplier: a}}",
        "{conv: 3, weight_decay: -1}",
        "{conv: 3, name: a b}",
        "{conv: 3, name: 3}",
        "{conv: 3, name: null}",
        "{conv: 3, from: 3}",
        "{conv: 3, from: [1]}",
        "{conv: 3, from: {a: b}}",
        "{conv: 3, expect: 4x4}",
        "{conv: 3, expect: [4, 4, 3]}",
        "{conv: 3, end_point: 1}",
        "{conv: 3, end_point: null}",
        "{conv: 3, repeat: 0}",
        "{conv: 3, repeat: []}",
        "{conv: 3, repeat: [3]}",
        "{conv: 3, repeat: many}",
        "{conv: 3, defaults: []}",
        "{conv: 3, defaults: {cnov: {}}}",
        "{conv: 3, defaults: {conv: 3}}",
        "{conv: 3, defaults: {conv: {kernel: a}}}",
        "{conv: 3, defaults: {conv: {filters: 3}}}",
        "{conv: 3, defaults: {batch_norm: {momentum: 3}}}",
        "{conv: 3, with: {a: 1}}",
        "{flatten: 1}",
        "{dropout: 1}",
        "{dropout: -0.1}",
        "{lrn: 5, alpha: 0}",
        "{activate: softmax, axis: 1}",
        "{layers: null}",
        "{layers: 3}",
        "{layers: [3]}",
        "{layers: [], with: {}}",
        "{block: 3}",
        "{block: null}",
        "{block: b, with: [1]}",
        "{block: b, with: {a: [1]}}",
        "{block: b, mid: 3}",
        "{branches: []}",
        "{branches: {}}",
        "{branches: {a b: [], c: []}}",
        "{branches: {a: 3, b: []}}",
        "{branches: {a: {conv: 3, name: a}, b: []}}",
        "{branches: {a: {conv: 3, repeat: 2}, b: []}}",
        "{branches: {a: [], b: []}, join: mean}",
        "{branches: {a: [], b: []}, split: {a: 0, b: 1}}",
        "{branches: {a: [], b: []}, split: {a: x, b: 1}}",
        "{branches: {a: [], b: []}, split: [1, 1]}",
        "{scale: a}",
    ],
}
HEADS = {
    True: [
        "[]",
        "flatten",
        "[flatten, {dense: 3, name: a}]",
        "{activate: softmax, from: x, end_point: false, expect: 3}",
        "{layers: [flatten], training_only: true, loss_weight: 0.4, defaults: {conv: {bias: $n}}}",
        "{layers: [flatten], training_only: false}",
        "{flatten, training_only: true, loss_weight: 0, x-mine: 1}",
        "{block: b, with: {m: 1}}",
        "{branches: {a: [], b: []}}",
    ],
    False: [
        "null",
        "3",
        "cnov",
        "{}",
        "{training_only: true, loss_weight: 1}",
        "{flatten, name: a}",
        "{flatten, repeat: 2}",
        "{flatten, training_only: 1}",
        "{flatten, training_only: true}",
        "{flatten, training_only: true, loss_weight: -1}",
        "{flatten, training_only: true, loss_weight: a}",
        "{flatten, training_only: false, loss_weight: 1}",
        "{flatten, loss_weight: 1}",
        "{flatten, colour: red}",
    ],
}
CHANGES = {
    True: [
        ("params: {n: 1}", "params: null"),
        ("params: {n: 1}", "params: {n: -1.5, o: word, p: true, x-q: [1]}"),
        ("params: {m: 2}", "params: {m: null, o: $m, p: word}"),
        ("layers: [{conv: $m, name: c}]", "branches: {c: {conv: $m}, d: []}, join: add"),
        ("layers: [{conv: $m, name: c}]", "layers: {conv: $m, name: c}, defaults: {conv: {}}"),
        ("body: {layers: [{block: b, name: x}]}", "body: {block: b, name: x}"),
        ("body: {layers: [{block: b, name: x}]}", "body: flatten"),
        ("body: {layers: [", "body: {x-a: 1, defaults: null, layers: ["),
        ("name: net", "name: net\nsummary: some text\noutput: Logits\nx-more: {}"),
    ],
    False: [
        ("archc: 1", "archc: 2"),
        ("archc: 1", "archc: true"),
        ("archc: 1", "archc: '1'"),
        ("archc: 1\n", ""),
        ("name: net\n", ""),
        ("name: net", "name: my-net"),
        ("name: net", "nane: net"),
        ("name: net", "name: net\nsummary: 3"),
        ("name: net", "name: net\noutput: 3"),
        ("input: 4x4x2\n", ""),
        ("input: 4x4x2", "input: [4, 4, 2]"),
        ("input: 4x4x2", "input: 4x4"),
        ("input: 4x4x2", "input: $n"),
        ("params: {n: 1}", "params: [1]"),
        ("params: {n: 1}", "params: {n: null}"),
        ("params: {n: 1}", "params: {n: [1]}"),
        ("params: {n: 1}", "params: {n: $m}"),
        ("params: {n: 1}", "params: {a b: 1}"),
        ("params: {m: 2}", "params: {m: [2]}"),
        ("params: {m: 2}", "params: {a-b: 2}"),
        ("layers: [{conv: $m, name: c}]", "conv: 3"),
        ("layers: [{conv: $m, name: c}]", "block: b"),
        ("layers: [{conv: $m, name: c}]", "layers: [], name: a"),
        ("layers: [{conv: $m, name: c}]", "layers: [], expect: 3"),
        ("layers: [{conv: $m, name: c}]", "layers: [], branches: {a: [], b: []}"),
        ("blocks: {b: {", "blocks: {b: [], c: {"),
        ("blocks: {b: {", "blocks: {a-b: {layers: []}, b: {"),
        ("body: {layers: [{block: b, name: x}]}\n", ""),
        ("body: {layers: [{block: b, name: x}]}", "body: null"),
        ("body: {layers: [{block: b, name: x}]}", "body: {layers: [], name: a}"),
        ("body: {layers: [{block: b, name: x}]}", "body: {}"),
        ("heads: {Logits: HEAD}", "heads: {}"),
        ("heads: {Logits: HEAD}", "heads: [flatten]"),
        ("heads: {Logits: HEAD}", "heads: {a-b: []}"),
        ("defaults: {conv: {kernel: 1, padding: valid}}", "defaults: {conv: [1]}"),
        ("defaults: {conv: {kernel: 1, padding: valid}}", "defaults: {conv: {name: a}}"),
    ],
}


@pytest.mark.parametrize(("valid", "layer"), [(v, w) for v in LAYERS for w in LAYERS[v]])
def test_layers(valid: bool, layer: str) -> None:
    assert agree(spec(layer=layer)) == valid


@pytest.mark.parametrize(("valid", "head"), [(v, w) for v in HEADS for w in HEADS[v]])
def test_heads(valid: bool, head: str) -> None:
    assert agree(spec(head=head)) == valid


@pytest.mark.parametrize(
    ("valid", "old", "new"), [(v, *pair) for v in CHANGES for pair in CHANGES[v]]
)
def test_documents(valid: bool, old: str, new: str) -> None:
    assert old in BASE
    assert agree(spec(text=BASE.replace(old, new))) == valid


def test_knows_the_keys_that_validation_knows() -> None:
    found = schema.schema()
    assert set(found["properties"]) == set(validate.TOP)
    required = {*found["required"], *found["else"]["required"]}
    assert required == set(validate.REQUIRED)
    layer = found["definitions"]["layer"]["else"]
    while "then" in layer:
        (key,) = layer["if"]["required"]
        own = set(layer["then"]["properties"]) - set(COMMON)
        if key in BY_KEY:
            op = BY_KEY[key]
            assert own == {key, *(a for a in attributes(op) if a != op.main)}
        else:
            assert own == set(layers.CONTAINER_KEYS[key])
        layer = layer["else"]
    assert set(layer["properties"]) == {*BY_KEY, *layers.CONTAINER_KEYS}


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.key)
def test_an_op_says_what_it_is(op: type) -> None:
    about = schema.schema()["definitions"][f"key_{BY_KEY[op.key].key}"]["description"]
    assert about
    assert "\n" not in about


def test_every_type_of_an_attribute_has_a_name() -> None:
    named = [fields.says(annotation) for annotation in schema.TYPES.values()]
    for op in OPS:
        for name, annotation in attributes(op).items():
            assert fields.says(annotation) in named, (
                f"{op.key}.{name}: give its type a line in schema.TYPES"
            )
