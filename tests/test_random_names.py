"""New names change nothing: random patches with and without renames between them, one network.

Each spec patches what it addresses by the names of that moment, in templates and in single uses, in
one file or in two. The same patches under the first names, with no rename, say what must come out.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from archcompiler.compiler import compile_file
from archcompiler.errors import ArchcError

BASE = """archc: 1
name: base
input: 16x16x3
output: Logits
defaults: {conv: {padding: same, kernel: 1}}
blocks:
  inner: {layers: [{conv: 4, name: a}, {conv: 5, name: b}]}
  fork:
    branches:
      Left: [{conv: 3, name: l}]
      Right: {conv: 4}
  outer:
    layers:
      - {name: group, layers: [{conv: 6, name: x}, {name: deep, layers: [{conv: 7, name: y}]}]}
      - {block: inner, name: one}
      - {block: fork, name: two}
      - {name: again, repeat: 2, layers: [{conv: 8, name: r}]}
      - {conv: 9, name: z}
stem: [{conv: 10, name: Enter}]
body:
  - {block: outer, name: M}
  - {block: outer, name: N}
  - {name: T, layers: [{conv: 11, name: t}, {block: inner, name: i}]}
  - {name: C, repeat: 2, layers: [{conv: 12, name: c}]}
heads: {Logits: [global_avg_pool]}
"""
INNER = {"a": {}, "b": {}}
FORK = {"Left": {"l": {}}, "Right": {}}
OUTER = {
    "group": {"x": {}, "deep": {"y": {}}}, "one": INNER, "two": FORK,
    "again": {"r": {}}, "z": {},
}  # fmt: skip
TEMPLATES = {"inner": INNER, "fork": FORK, "outer": OUTER}
USES = {"M": "outer", "N": "outer", "one": "inner", "i": "inner", "two": "fork"}
BODY = {"Enter": {}, "M": OUTER, "N": OUTER, "T": {"t": {}, "i": INNER}, "C": {"c": {}}}
REPEATED, BRANCHES = ("again", "C"), ("Left", "Right")
Tree = dict[str, "Tree"]
Node = tuple[str, ...]
"""What something was called first, from the body, or from `blocks` on; a copy has its number."""


def nodes(tree: Tree, start: Node = ()) -> list[Node]:
    found = []
    for name, inner in tree.items():
        found.append((*start, name))
        if name in REPEATED:
            for copy in ("_1", "_2"):
                found += [(*start, name + copy), *nodes(inner, (*start, name + copy))]
        else:
            found += nodes(inner, (*start, name))
    return found


@dataclass
class Names:
    """What everything is called at a moment."""

    given: dict[Node, str] = field(default_factory=dict)

    def path(self, node: Node) -> str:
        start = 2 if node[0] == "blocks" else 0
        return "/".join(
            (*node[:start], *(self.name(node[:n]) for n in range(start + 1, len(node) + 1)))
        )

    def name(self, node: Node) -> str:
        """Return the name that a use has of its own, or that of its template, or the first one."""
        whole = node[-1].removesuffix("_1").removesuffix("_2")
        copy = node[-1].removeprefix(whole)
        original = (*node[:-1], whole)
        shared = [] if node[0] == "blocks" else [*self.template(node), *self.template(original)]
        for one in (node, original, *shared):
            if one in self.given:
                return self.given[one] + (copy if one[-1] == whole else "")
        return node[-1]

    def template(self, node: Node) -> list[Node]:
        """Return the same in the template of the innermost block around it."""
        for n in range(len(node) - 1, 0, -1):
            if block := USES.get(node[n - 1]):
                return [("blocks", block, *node[n:])]
        return []


def specs(seed: int) -> tuple[list[str], list[str], list[str]]:
    """Return patches under the names of the moment, in two lists, and the same under the first."""
    chance, names = random.Random(seed), Names()
    own = nodes(BODY)
    templates = [("blocks", block, *n) for block, t in TEMPLATES.items() for n in nodes(t)]
    templates = [n for n in templates if not any(name in USES for name in n[2:-1])]
    leaves = {"a", "b", "l", "Right", "x", "y", "r", "z", "Enter", "t", "c"}
    waiting = [(n, f"kernel: {chance.choice((3, 5, 7))}") for n in templates if n[-1] in leaves]
    waiting += [(n, f"dilation: {chance.choice((2, 3))}") for n in own if n[-1] in leaves]
    chance.shuffle(waiting)
    patches, plain = [], []
    for node, change in waiting[: chance.randrange(2, 14)]:
        for other in chance.sample((*own, *templates), chance.randrange(3)):
            one_of_template = other[0] == "blocks" and other[-1][-2:] in ("_1", "_2")
            if other[-1] not in BRANCHES and other not in names.given and not one_of_template:
                patches.append(f"  - {{set: {names.path(other)}, name: n{seed}_{len(patches)}}}")
                names.given[other] = f"n{seed}_{len(patches) - 1}"
        patches.append(f"  - {{set: {names.path(node)}, {change}}}")
        plain.append(f"  - {{set: {'/'.join(node)}, {change}}}")
    cut = chance.randrange(len(patches) + 1)
    return patches[:cut], patches[cut:], plain


def network(folder: Path, name: str, base: str, patches: list[str]) -> list[tuple[object, ...]]:
    text = f"archc: 1\nname: {name}\nextends: {base}.yaml\npatch:\n" + "\n".join(patches)
    path = folder / f"{name}.yaml"
    path.write_text(text + "\n", "utf-8")
    found = compile_file(path).network
    return [(n.op, n.output.shape, n.weights) for n in found.walk() if not n.graphs]


@pytest.mark.parametrize("seed", range(60))
def test_new_names_change_nothing(seed: int, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE, "utf-8")
    first, second, plain = specs(seed)
    try:
        network(tmp_path, "first", "base", first)
        renamed = network(tmp_path, "second", "first", second)
    except ArchcError as error:  # a template's name that each use gave up again
        said = {found.message.partition(" is written over")[0] for found in error.diagnostics}
        assert said == {"`name`"}
        return
    assert renamed == network(tmp_path, "plain", "base", plain)
