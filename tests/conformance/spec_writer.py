"""Writes random specs that use the whole language, are right, and stay small.

A spec follows from its seed alone. The writer knows every shape as it writes (`spec_layers.py`),
so nearly every spec compiles; `random_networks.py` counts those that do not.
"""

from __future__ import annotations

import functools
import json
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spec_layers import Layer, LayerWriter, Made
from spec_scope import Defaults, Place, is_small, merged
from spec_values import norm_defaults
from typing_extensions import override
from unread import without_idle

from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError
from archcompiler.fields import ACTIVATIONS, Shape, shape_text
from archcompiler.ops.dense import Dense
from archcompiler.source import parse
from archcompiler.yaml_writer import to_yaml

Spec = dict[str, Any]

SIDES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 16)
LEVELS = 4


kept: Path | None = None
"""Where processes that work side by side share what they wrote; the tests name a folder."""


def write_spec(seed: int) -> Spec:
    """Return the spec of a seed, always the same; a copy of its own."""
    found: Spec = json.loads(_text(seed))
    return found


def new_spec(seed: int) -> Spec:
    """Write the spec of a seed anew."""
    return without_idle(without_unused(_Writer(random.Random(f"spec {seed}")).spec(f"net{seed}")))


@functools.cache
def _text(seed: int) -> str:
    """Return the spec of a seed as JSON, written once: it takes ten times a compilation."""
    path = kept / f"{seed}.json" if kept else None
    if path and path.exists():
        return path.read_text("utf-8")
    text = json.dumps(new_spec(seed))
    if path:
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(text, "utf-8")
        part.replace(path)
    return text


def without_unused(spec: Spec) -> Spec:
    """Return a spec without the blocks that no layer uses, as archc asks for."""
    used: set[str] = set()
    todo: list[Any] = [spec["stem"], spec["body"], spec["heads"]]
    blocks = spec.get("blocks", {})
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            title = value.get("block")
            if isinstance(title, str) and title in blocks and title not in used:
                used.add(title)
                todo.append(blocks[title])
            todo += value.values()
        elif isinstance(value, list):
            todo += value
    kept = {k: v for k, v in blocks.items() if k in used}
    # Blocks stand before stem and body, where a person looks for them.
    return {k: kept if k == "blocks" else v for k, v in spec.items() if k != "blocks" or kept}


class _Writer(LayerWriter):
    """Writes one spec. What it put into `blocks` may be used again wherever it fits."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance, chance.randint(10, 20))
        self.blocks: dict[str, Layer] = {}
        self.uses: dict[str, Mapping[str, object]] = {}
        """The values of each block's parameters at its first use."""
        params = {"units": chance.randint(2, 6), "act": chance.choice(ACTIVATIONS)}
        self.params = {k: v for k, v in params.items() if self.likely(0.6)}

    def spec(self, name: str) -> Spec:
        sides = [self.chance.choice(SIDES) for _ in range(2)]
        image = (*(sides if self.likely(0.7) else sides[:1] * 2), self.chance.randint(1, 4))
        defaults = merged(norm_defaults(self.chance), self.defaults(0.5))
        taken, seen = {"Side", "Other", "Logits"}, {}
        stem, shape = self.section(image, defaults, taken, seen, self.chance.randint(0, 3))
        body, shape = self.section(shape, defaults, taken, seen, self.chance.randint(1, 5))
        heads = self.heads(shape, defaults, seen)
        return {
            "archc": 1,
            "name": name,
            "input": shape_text(image),
            "output": "Logits",
            **({"params": self.params} if self.params else {}),
            "defaults": defaults,
            "blocks": self.blocks,
            "stem": stem,
            "body": body,
            "heads": heads,
        }

    def section(
        self,
        enters: Shape,
        defaults: Defaults,
        taken: set[str],
        seen: dict[str, Shape],
        count: int,
    ) -> Made:
        """Write stem or body, and note in `seen` what heads may read of it."""
        place = Place(
            enters=enters, params=self.params, defaults=defaults, depth=LEVELS,
            frames=({}, {**seen}), taken=taken, is_top=True,
        )  # fmt: skip
        made = self.layers(enters, place, count)
        seen |= place.frames[0]
        return made

    def heads(self, trunk: Shape, defaults: Defaults, seen: dict[str, Shape]) -> dict[str, Any]:
        heads: dict[str, Any] = {}
        reads_end = False
        for name, share in (("Side", 0.4), ("Other", 0.3), ("Logits", 1.0)):
            if not self.likely(share):
                continue
            # Keras refuses most networks whose last layers no head reads.
            elsewhere = 0.5 if name != "Logits" or reads_end else 0.03
            source = self.chance.choice([*seen]) if seen and self.likely(elsewhere) else ""
            reads_end = reads_end or not source
            enters = seen[source] if source else trunk
            place = Place(
                enters=enters, params=self.params, defaults=defaults, depth=LEVELS,
                frames=({}, {**seen}),
            )  # fmt: skip
            self.budget = max(self.budget, 2)
            layers, shape = self.layers(enters, place, self.chance.randint(0, 2))
            if self.likely(0.8):
                more, shape = self.classifier(shape, place)
                layers += more
            head: Layer = {"from": source} if source else {}
            if name == "Side":
                head |= {"training_only": True, "loss_weight": self.chance.choice((0.0, 0.4, 1.0))}
            else:
                seen[name] = shape
            only = layers[0] if len(layers) == 1 and "repeat" not in layers[0] else {}
            if not head and self.likely(0.8):
                heads[name] = layers
            elif only and self.likely(0.5):
                heads[name] = {
                    k: v for k, v in only.items() if k not in ("name", "end_point")
                } | head
            else:
                heads[name] = head | {"layers": layers}
        return heads

    def classifier(self, shape: Shape, place: Place) -> Made:
        """Go from a map or a vector to a vector of a few units."""
        layers: list[Layer] = []
        if len(shape) == 3:
            flat = (shape[0] * shape[1] * shape[2],)
            ways: list[tuple[list[Layer], Shape]] = [([{"global_avg_pool": None}], shape[2:])]
            if is_small(flat):
                ways.append(([{"flatten": None}], flat))
            for key in ("avg_pool", "max_pool"):
                pool = {key: "map", "stride": 1, "padding": "valid", "ceil_mode": False}
                ways.append(([pool, {"squeeze": None}], shape[2:]))
            layers, shape = self.chance.choice(ways)
        made = self.op(Dense, shape, place)
        return ([*layers, *made[0]], made[1]) if made else (layers, shape)

    # Blocks

    @override
    def instance(self, shape: Shape, place: Place) -> Made | None:
        """Use a block: one that is there, if it takes the shape, or a new one."""
        known = [*self.blocks]
        if known and self.likely(0.6):
            title = self.chance.choice(known)
            arguments = {
                name: self.chance.choice((2, 3, 4)) if type(value) is int else value
                for name, value in self.uses[title].items()
            }
            defaults = self.defaults(0.1) if self.likely(0.3) else {}
        else:
            title = f"block{len(self.uses) + 1}"
            defaults = {}
            found = self.block(title, shape, place)
            if found is None:
                return None
            arguments = found
        given = self.blocks[title].get("params", {})
        arguments = {k: v for k, v in arguments.items() if given[k] is None or self.likely(0.5)}
        written = {
            k: place.written(self.chance, v) if type(v) is int else v for k, v in arguments.items()
        }
        layer: Layer = {"block": title} | ({"defaults": defaults} if defaults else {})
        plain = layer | ({"with": arguments} if arguments else {})
        layer |= {"with": written} if written else {}
        result = self.probe({**plain, "name": "probe"}, shape, place)
        if result is None:
            return None
        name = place.name(title)
        again = self.probe({**plain, "name": "probe"}, result, place) if self.likely(0.3) else None
        if again:
            return self.repeated(layer, [name, place.name(title)], [result, again], place)
        return self.called(layer, name, result, place), result

    def block(self, title: str, shape: Shape, place: Place) -> Mapping[str, object] | None:
        """Write a block that takes a shape; return the values of its parameters."""
        choices: dict[str, Any] = {
            "mid": self.chance.randint(2, 6),
            "step": self.chance.randint(1, 2),
            "kind": self.chance.choice(ACTIVATIONS),
            "flag": self.likely(0.5),
            "around": self.chance.choice(("same", "valid")),
        }
        values = {k: v for k, v in choices.items() if self.likely(0.4)}
        params: dict[str, object] = {k: v if self.likely(0.4) else None for k, v in values.items()}
        if "mid" in values and self.likely(0.4):
            params["wide"], values["wide"] = "$mid * 2", choices["mid"] * 2
        defaults = self.defaults(0.1) if self.likely(0.3) else {}
        inner = Place(
            enters=shape,
            params={**self.params, **values},
            defaults=merged(place.defaults, defaults),
            depth=place.depth - 1,
        ).listing()
        layers, _ = self.layers(shape, inner, self.chance.randint(1, 4))
        if not layers:
            return None
        body: Layer = {"layers": layers}
        if layers[0].keys() <= {"branches", "join", "split"} and len(layers) == 1:
            body = layers[0]
        self.blocks[title] = {
            **({"params": params} if params else {}),
            **({"defaults": defaults} if defaults else {}),
            **body,
        }
        self.uses[title] = values
        return values

    def probe(self, layer: Layer, shape: Shape, place: Place) -> Shape | None:
        """Return what a use of a block gives, by compiling it alone; None where it does not."""
        vector = len(shape) == 1
        spec = {
            "archc": 1,
            "name": "probe",
            "input": shape_text((1, 1, *shape) if vector else shape),
            "params": self.params,
            "defaults": place.defaults,
            "blocks": self.blocks,
            "stem": [{"squeeze": None}] if vector else [],
            "body": [layer],
            "heads": {"Logits": {"identity": None}},
        }
        try:
            text = to_yaml(without_idle(without_unused(spec)))
            network = compile_node(parse(text, "probe"), source="").network
        except ArchcError:
            return None
        sizes = [node.output.shape for node in network.walk()]
        return network.output_head.node.output.shape if all(map(is_small, sizes)) else None
