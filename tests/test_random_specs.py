"""Random specs that use the whole language: what must hold for every network, holds for these."""

from __future__ import annotations

import random
from typing import Any

import jsonschema
import pytest
from unread import without_idle

from archcompiler import schema
from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError
from archcompiler.ir import Group, Instance, Network
from archcompiler.ir_json import from_json, to_json
from archcompiler.printer import to_text
from archcompiler.resolve import document, to_yaml
from archcompiler.source import parse
from archcompiler.summary import table

CHECKER = jsonschema.Draft7Validator(schema.schema())
# What a random spec may get wrong: layers that nothing reads, names, references.
MISTAKES = {"E302", "E305", "E317"}
BATCHES = 20
SPECS_A_BATCH = 25

Layer = Any


class Writer:
    """Writes one random spec; every layer keeps height and width, so that all can be joined."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0
        self.blocks: dict[str, Any] = {}
        self.params: dict[str, list[str]] = {}

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def name(self, taken: set[str]) -> str:
        """Return a name that is free here; short ones shadow those of other lists."""
        while True:
            name = self.random.choice("abcdeFGH") + self.random.choice(["", "", "_2", "x"])
            if self.chance(0.3):
                name = self.random.choice(["max_pool", "concat", "layers_2", "identity", "null"])
            if name.lower() not in taken:
                taken.add(name.lower())
                return name
            self.count += 1
            taken.add(f"n{self.count}")
            return f"n{self.count}"

    def defaults(self) -> dict[str, Any]:
        wanted = {
            "activation": self.random.choice(["relu", "none", None, "tanh"]),
            "bias": self.random.choice([True, False, None]),
            "dilation": self.random.choice([1, 2, None]),
            "norm": self.random.choice(
                ["none", None, "batch_norm", {"batch_norm": {"beta": False}}]
            ),
        }
        conv = {k: v for k, v in wanted.items() if self.chance(0.4)}
        norm = {"epsilon": self.random.choice([1e-3, 1e-5])} if self.chance(0.3) else {}
        found = {"conv": conv, "batch_norm": norm}
        return {k: v for k, v in found.items() if v}

    def number(self, params: list[str]) -> Any:
        choices: list[Any] = [1, 2, 3, 8]
        if params:
            param = self.random.choice(params)
            choices += [f"${param}", f"${param} + 1", f"$in_channels + {param}"]
        return self.random.choice([*choices, "$in_channels"])

    def op(self, params: list[str]) -> dict[str, Any]:
        return self.random.choice(
            [
                {"conv": self.number(params)},
                {"conv": self.number(params), "kernel": 3, "padding": "same"},
                {"conv": 2, "norm": {"batch_norm": {"decay": 0.5}}},
                {"max_pool": 3},
                {"identity": None},
                {"activate": "relu"},
                {"scale": 0.5},
            ]
        ).copy()

    def layers(
        self,
        depth: int,
        params: list[str],
        frames: list[list[str]],
        taken: set[str],
        lib: list[str],
    ) -> list[Layer]:
        own: list[str] = []
        frames = [own, *frames]
        found = []
        for _ in range(self.random.randint(0, 4) if depth else 1):
            found.append(self.layer(depth, params, frames, taken, lib))
            own += [found[-1]["name"]] if isinstance(found[-1].get("name"), str) else []
        return found

    def layer(
        self,
        depth: int,
        params: list[str],
        frames: list[list[str]],
        taken: set[str],
        lib: list[str],
    ) -> Layer:
        kinds = ["op", "op", "op", "join"]
        kinds += ["group", "group", "fork", "block", "block"] if depth else []
        kind = self.random.choice(kinds)
        known = [*{n for frame in frames for n in frame}, "input"]
        name = self.name(taken)
        layer: Layer
        if kind == "block" and lib:
            block = self.random.choice(lib)
            layer = {"block": block, "name": name}
            arguments = {p: self.number(params) for p in self.params[block]}
            layer |= {"with": arguments} if arguments else {}
        elif kind == "join":
            several = [self.random.choice(sorted(known)) for _ in range(2)]
            return {"concat": None, "from": several, "name": name}
        elif kind == "group":
            named = self.chance(0.6)
            inside: set[str] = set() if named else taken
            layer = {"layers": self.layers(depth - 1, params, frames, inside, lib)}
            layer |= {"name": name} if named else {}
        elif kind == "fork":
            layer = self.fork(depth, params, frames, taken, lib, name)
        else:
            layer = self.op(params)
            weights = "conv" in layer
            layer |= {"name": name} if weights or self.chance(0.5) else {}
        if self.chance(0.2):
            layer["defaults"] = self.defaults()
        if self.chance(0.15):
            layer["from"] = self.random.choice(sorted(known))
        if "name" in layer and self.chance(0.2):
            layer["end_point"] = self.chance(0.5)
        if "name" in layer and self.chance(0.1):
            layer |= {"repeat": [layer.pop("name"), self.name(taken)]}
        elif self.chance(0.05) and "name" in layer:
            layer |= {"repeat": 2}
        return layer

    def fork(
        self,
        depth: int,
        params: list[str],
        frames: list[list[str]],
        taken: set[str],
        lib: list[str],
        name: str,
    ) -> Layer:
        named = self.chance(0.5)
        inside: set[str] = set() if named else taken
        branches: dict[str, Any] = {}
        for _ in range(self.random.randint(2, 3)):
            key = self.name(inside)
            if self.chance(0.3):
                single = self.layer(depth - 1, params, frames, set(), lib)
                for word in ("name", "repeat"):
                    single.pop(word, None)
                branches[key] = single
            else:
                branches[key] = self.layers(depth - 1, params, frames, set(), lib)
        return {"branches": branches} | ({"name": name} if named else {})

    def spec(self) -> dict[str, Any]:
        lib: list[str] = []
        for number in range(self.random.randint(0, 3)):
            name = f"block{number}"
            params = [f"p{n}" for n in range(self.random.randint(0, 2))]
            body = self.layers(2, params, [], set(), list(lib))
            self.blocks[name] = {"layers": body}
            self.blocks[name] |= {"defaults": self.defaults()} if self.chance(0.3) else {}
            self.blocks[name] |= {"params": dict.fromkeys(params, 2)} if params else {}
            self.params[name] = params
            lib.append(name)
        taken: set[str] = {"logits", "side"}
        stem = self.layers(1, [], [], taken, lib)
        seen = [n["name"] for n in stem if isinstance(n.get("name"), str)]
        body = self.layers(3, [], [seen], taken, lib)
        side = {
            "layers": self.layers(1, [], [seen], set(), lib),
            "training_only": True,
            "loss_weight": 0.5,
        }
        heads: dict[str, Any] = {"Logits": [*self.layers(1, [], [seen], set(), lib), "flatten"]}
        if self.chance(0.4):
            heads = {"Side": side} | heads
        conv = {"kernel": 1, "padding": "valid"}
        norm = {"epsilon": 1e-3, "decay": 0.9, "gamma": True}
        return {
            "archc": 1,
            "name": "net",
            "input": "5x4x3",
            "defaults": {
                "conv": conv,
                "batch_norm": norm,
                "max_pool": {"padding": "same", "stride": 1},
            },
            **({"blocks": self.blocks} if self.blocks else {}),
            "stem": stem,
            "body": body,
            "heads": heads,
        }


def unused(spec: dict[str, Any]) -> None:
    """Drop the blocks that no layer uses, as archc asks for."""
    used: set[str] = set()
    todo: list[Any] = [spec["stem"], spec["body"], spec["heads"]]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            if isinstance(value.get("block"), str) and value["block"] not in used:
                used.add(value["block"])
                todo.append(spec["blocks"][value["block"]])
            todo += value.values()
        elif isinstance(value, list):
            todo += value
    spec["blocks"] = {k: v for k, v in spec.get("blocks", {}).items() if k in used}


def compiled(text: str) -> Network:
    return compile_node(parse(text, "net.yaml"), source="net.yaml").network


def facts(network: Network) -> object:
    def kind(op: Any) -> object:
        return "container" if isinstance(op, Group | Instance) else op

    return (
        [(n.path, n.named, kind(n.op), n.output.shape, n.weights) for n in network.walk()],
        [(e.name, e.node.path) for e in network.end_points],
    )


def check(spec: dict[str, Any], text: str) -> None:
    assert not list(CHECKER.iter_errors(spec))
    network = compiled(text)
    again = from_json(to_json(network))
    assert to_json(again) == to_json(network)
    assert to_text(again) == to_text(network)
    canonical = to_yaml(document(network))
    resolved = compiled(canonical)
    assert facts(resolved) == facts(network)
    assert to_yaml(document(resolved)) == canonical
    assert not list(CHECKER.iter_errors(document(network)))
    assert max(map(len, canonical.splitlines())) <= 100
    assert max(map(len, table(network, 80).splitlines())) <= 80


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_specs(batch: int) -> None:
    compiled_ones = 0
    for seed in range(batch * SPECS_A_BATCH, (batch + 1) * SPECS_A_BATCH):
        spec = Writer(seed).spec()
        unused(spec)
        text = to_yaml(without_idle(spec))
        try:
            compiled(text)
        except ArchcError as error:
            wrong = {d.code for d in error.diagnostics}
        else:
            wrong = set()
        if wrong:
            assert wrong <= MISTAKES, f"seed {seed}: {wrong}\n{text}"
            continue
        compiled_ones += 1
        try:
            check(spec, text)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}:\n{text}") from error
    assert compiled_ones >= SPECS_A_BATCH // 4
