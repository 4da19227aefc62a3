"""Patches, applied where what they address expands: the templates' first, then the instances'.

A patch changes what was written before it: its `order` is held against that of the file or patch
which brought its target in. What a base patched and a child replaced or removed is void.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from archcompiler import merge
from archcompiler.errors import Report, Row, did_you_mean
from archcompiler.layers import as_group, spelled_out
from archcompiler.ops import BY_KEY
from archcompiler.paths import Paths, join
from archcompiler.position import Position
from archcompiler.references import Place
from archcompiler.source import Entry, Mapping, Node, Scalar
from archcompiler.spec import COMMON, CONTAINERS, Block, Branch, Head, Layer, Name, Patch, Spec
from archcompiler.validate import Validator

ROOT = ("layers", "branches", "join", "split")
"""Keys of an instance that mean those of its block."""
GROUP = ("layers", *(key for key in COMMON if key not in ("name", "repeat")))
"""What `set` may give to a branch that is a list of layers."""

Found = tuple[Layer, Place]
T = TypeVar("T")


@dataclass(slots=True)
class Edits:
    """The patches of a spec, and which of them did something."""

    patches: tuple[Patch, ...]
    born: dict[str, int]
    report: Report
    by_path: dict[str, list[Patch]] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    gone: list[tuple[str, int]] = field(default_factory=list)
    """Paths, and the order of what replaced or removed all below them."""
    away: dict[str, Row] = field(default_factory=dict)
    """By path, the patch that removed, replaced or renamed what was there."""
    patched: dict[Position, list[Row]] = field(default_factory=dict)
    """By place of a layer, the patches of files that set something of it."""
    templates: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for patch in self.patches:
            self.by_path.setdefault(patch.path, []).append(patch)
        for part, order in self.born.items():
            self.gone.append((part.removeprefix("heads/"), order))

    # What stands at the top of a spec

    def roots(self, spec: Spec) -> Spec:
        """Apply the patches that address sections, heads and templates themselves."""
        for patch in self.patches:
            first, _, rest = patch.path.partition("/")
            head = next((h for h in spec.heads if h.name.text == patch.path), None)
            if patch.path in ("stem", "body"):
                spec = self._section(spec, patch)
            elif first == "blocks" and rest in spec.blocks:
                spec = self._template(spec, spec.blocks[rest], patch)
            elif head:
                spec = self._head(spec, head, patch)
        return spec

    def _section(self, spec: Spec, patch: Patch) -> Spec:
        hint = f"write it anew: `{patch.path}: [...]`"
        if not self._may(patch, self.born[patch.path], ("set",), "a section", hint):
            return spec
        layer: Layer = getattr(spec, patch.path)
        node = self._merged(layer.node, patch, patch.entries)
        entry = Entry(patch.path, layer.position, node)
        changed = self._checked(patch, lambda v: v.section(entry))
        if changed is None:
            return spec
        if patch.path == "stem":
            return dataclasses.replace(spec, stem=changed)
        return dataclasses.replace(spec, body=changed)

    def _template(self, spec: Spec, block: Block, patch: Patch) -> Spec:
        hint = f"write it anew: `blocks: {{{block.name}: ...}}`, where null removes it"
        if not self._may(patch, self.born[patch.path], ("set",), "a block", hint):
            return spec
        node = self._merged(block.node, patch, patch.entries)
        entry = Entry(block.name.text, block.name.position, node)
        changed = self._checked(patch, lambda v: v.block(entry))
        blocks = {**spec.blocks, block.name.text: changed} if changed else spec.blocks
        return dataclasses.replace(spec, blocks=blocks)

    def _head(self, spec: Spec, head: Head, patch: Patch) -> Spec:
        part = f"heads/{head.name}"
        hint = "add one under `heads:`"
        if not self._may(patch, self.born[part], ("set", "replace", "remove"), "a head", hint):
            return spec
        changed: Head | None = None
        if patch.verb != "remove":
            node = self._keyed(head.node, patch)
            entry = Entry(head.name.text, head.name.position, node)
            changed = self._checked(patch, lambda v: v.head(entry)) or head
        if patch.verb != "set":
            self.born[part] = patch.order
            self._take(patch)
        heads = [changed if h is head else h for h in spec.heads]
        return dataclasses.replace(spec, heads=tuple(h for h in heads if h))

    def _may(self, patch: Patch, born: int, verbs: tuple[str, ...], what: str, hint: str) -> bool:
        """Tell whether a patch comes after its target, and refuse a verb that cannot be."""
        if patch.order <= born:
            return False
        self.used.add(patch.order)
        if patch.verb in verbs:
            return True
        message = f"`{patch.path}` is {what}, which `{patch.verb}` cannot address"
        self._refuse(patch, message, hint)
        return False

    # Lists of layers

    def layers(self, layer: Layer, place: Place, *, instance: bool = False) -> list[Found]:
        """Return what stands in a layer's place, each with its own place; maybe nothing.

        An `instance` is one of a repeated layer.
        """
        if not self.by_path or layer.name is None:
            return [(layer, place)]
        found = [(layer, place)]
        if place.template:
            found = self._edited(layer, place, instance, templates=True)
        return [f for one, at in found for f in self._edited(one, at, instance, templates=False)]

    def _edited(
        self, layer: Layer, place: Place, instance: bool, *, templates: bool
    ) -> list[Found]:
        before: list[Found] = []
        after: list[Found] = []
        last = place.template_born if templates else place.born
        while patch := self._next(layer.name, last, place, templates=templates):
            last = patch.order
            if patch.verb == "set":
                layer = self._set(layer, patch, instance)
            elif patch.verb == "before":
                before += self._brought(patch, place, None, templates=templates)
            elif patch.verb == "after":
                after = self._brought(patch, place, None, templates=templates) + after
            else:
                self._take(patch)
                replaced = patch.verb == "replace"
                here = self._brought(patch, place, layer, templates=templates) if replaced else []
                return [*before, *here, *after]
        return [*before, (layer, place), *after]

    def _brought(
        self, patch: Patch, place: Place, replaced: Layer | None, *, templates: bool
    ) -> list[Found]:
        """Return the layers that a patch brings in, with what later patches make of them."""
        content = patch.content
        assert content is not None
        layers = self._checked(patch, lambda v: v.sequence(content)) or ()
        if replaced and replaced.name and len(layers) == 1 and not layers[0].name:
            name = Name(replaced.name.text, layers[0].position)
            layers = (dataclasses.replace(layers[0], name=name),)
        if templates:
            place = dataclasses.replace(place, template_born=patch.order)
        else:
            place = dataclasses.replace(place, born=patch.order, template="")
        edited = (self._edited(one, place, False, templates=templates) for one in layers)
        return [found for pieces in edited for found in pieces]

    def _next(self, name: Name | None, last: int, place: Place, *, templates: bool) -> Patch | None:
        """Return the patch behind the `last` one of what is called `name` there, and mark it."""
        if name is None:
            return None
        path = join(place.template if templates else place.prefix, name.text)
        if templates:
            self.templates.setdefault(path)
        found = next((p for p in self.by_path.get(path, ()) if p.order > last), None)
        if found:
            self.used.add(found.order)
        return found

    def _set(self, layer: Layer, patch: Patch, instance: bool) -> Layer:
        entries = patch.entries
        if layer.key == "block":
            entries = {k: e for k, e in entries.items() if k not in ROOT}
        others = [k for k in entries if (k in BY_KEY or k in CONTAINERS) and k != layer.key]
        if others:
            self._refuse(
                patch,
                f"`{patch.path}` is `{layer.key}`, and `set` cannot make it `{others[0]}`",
                f"replace it: `{{replace: {patch.path}, by: {{{others[0]}: ...}}}}`",
            )
        elif instance and "repeat" in entries:
            self._refuse(
                patch,
                f"`{patch.path}` is one of a repeated layer",
                "set `repeat` of the layer as it is written",
            )
        elif entries:
            node = self._merged(layer.node, patch, entries)
            if changed := self._checked(patch, lambda v: v.layer(node)):
                kept = {"name": "name", "repeat": "repeat", "expect": "expect", "from": "sources"}
                own = {f: getattr(layer, f) for key, f in kept.items() if key not in entries}
                if not patch.by_command_line:
                    row = Row(label="patched", value=patch.path, position=patch.position)
                    self.patched.setdefault(layer.position, []).append(row)
                if "name" in entries:
                    self.away[patch.path] = Row(label="renamed", position=patch.position)
                return dataclasses.replace(changed, **own)
        return layer

    # Branches and blocks

    def branches(self, layer: Layer, place: Place) -> list[tuple[Branch, Place]]:
        """Return the branches of a fork, each with its place."""
        if not self.by_path:
            return [(branch, place) for branch in layer.branches]
        found = []
        for branch in layer.branches:
            kept: tuple[Branch, Place] | None = (branch, place)
            for templates in (True, False):
                if kept and (place.template or not templates):
                    kept = self._branch(*kept, templates=templates)
            found += [kept] if kept else []
        return found

    def _branch(
        self, branch: Branch, place: Place, *, templates: bool
    ) -> tuple[Branch, Place] | None:
        last = place.template_born if templates else place.born
        while patch := self._next(branch.name, last, place, templates=templates):
            last = patch.order
            if patch.verb in ("before", "after"):
                self._refuse(
                    patch,
                    f"`{patch.path}` is a branch, which `{patch.verb}` cannot address",
                    "address a layer in it; a branch is added by "
                    "`{set: FORK, branches: {NAME: [...]}}`",
                )
                continue
            if patch.verb != "set":
                self._take(patch)
            if patch.verb == "remove":
                return None
            odd = [k for k in patch.entries if k not in GROUP]
            if not branch.single and odd:
                inner = next((f", as `{patch.path}/{n.name}`" for n in branch.layers if n.name), "")
                self._refuse(
                    patch,
                    f"`{patch.path}` is a list of layers and has no `{odd[0]}`",
                    f"name a layer in it{inner}",
                )
                continue
            node = self._keyed(branch.node, patch)
            entry = Entry(branch.name.text, branch.name.position, node)
            branch = self._checked(patch, partial(Validator.branch, entry=entry)) or branch
            if patch.verb == "replace" and templates:
                place = dataclasses.replace(place, template_born=patch.order)
            elif patch.verb == "replace":
                place = dataclasses.replace(place, born=patch.order, template="")
        return branch, place

    def block(self, path: str, block: Block, place: Place) -> tuple[Layer, Place]:
        """Return what an instance is made of, and its place, as far as patches say."""
        born = self.born.get(f"blocks/{block.name}", 0)
        if born:
            self.gone.append((f"{path}/", born))
        layer = block.layer
        for patch in self.by_path.get(path, ()):
            entries = {k: e for k, e in patch.entries.items() if k in ROOT}
            if entries and patch.order > max(place.born, born):
                node = self._merged(layer.node, patch, entries)
                layer = self._checked(patch, partial(Validator.container, node=node)) or layer
        place = dataclasses.replace(place, born=max(place.born, born), template_born=born)
        return layer, place

    # Nodes

    def _keyed(self, node: Node, patch: Patch) -> Node:
        """Return the node of a branch or head after a `set` or a `replace`."""
        if patch.verb == "replace":
            assert patch.content is not None
            return patch.content
        node = spelled_out(node)
        written = node if isinstance(node, Mapping) else as_group(node)
        return self._merged(written, patch, patch.entries)

    def _merged(self, node: Mapping, patch: Patch, entries: dict[str, Entry]) -> Mapping:
        """Put entries over a layer's: null takes back, mappings of names are merged."""
        found = dict(node.entries)
        for key, entry in entries.items():
            below = found.get(key)
            if merge.is_null(entry.node) and key not in BY_KEY:
                found.pop(key, None)
            elif below is not None:
                found[key] = merge.merged(below, entry, self.report)
            else:
                found[key] = entry
        return Mapping(found, node.position)

    def _checked(self, patch: Patch, read: Callable[[Validator], T | None]) -> T | None:
        """Read what a patch made; a mistake that lies outside the patch names it."""
        inner = Report()
        found = read(Validator(inner))
        own = set(positions(patch))
        for problem in inner.diagnostics:
            if problem.position not in own:
                row = Row(label="patched", position=patch.position)
                problem = dataclasses.replace(problem, rows=(*problem.rows, row))
            self.report.add(problem)
        return None if inner.diagnostics else found

    def _take(self, patch: Patch) -> None:
        """Note that what a patch addresses is gone, and all that earlier patches did below it."""
        self.gone.append((patch.path, patch.order))
        self.away[patch.path] = Row(label=f"{patch.verb}d", position=patch.position)

    # What cannot be

    def _refuse(self, patch: Patch, message: str, hint: str | None) -> None:
        code = "E310" if patch.by_command_line else "E319"
        self.report.error(code, message, patch.position, hint=hint)

    def report_unused(self, paths: Paths, blocks: Collection[str]) -> None:
        """Report patches to layers that there are not; `blocks` are those nothing uses."""
        for patch in self.patches:
            first, _, rest = patch.path.partition("/")
            idle = first == "blocks" and rest.partition("/")[0] in blocks
            if patch.order not in self.used and not idle and not self._void(patch, paths):
                self._report_missing(patch, paths)

    def _void(self, patch: Patch, paths: Paths) -> bool:
        """Tell whether what a patch addresses was replaced or removed by what comes later."""
        first = patch.path.partition("/")[0]
        trunk = first != "blocks" and first not in {p for p in self.born if p.startswith("heads/")}
        for path, order in self.gone:
            if order <= patch.order:
                continue
            inside = path.rstrip("/")
            if path in ("stem", "body"):
                if trunk:
                    return True
            elif patch.path.startswith(f"{inside}/") or patch.path == path:
                return True
        return False

    def _report_missing(self, patch: Patch, paths: Paths) -> None:
        path = patch.path
        parts = path.split("/")
        above = ("/".join(parts[:n]) for n in range(1, len(parts) + 1))
        row = next((self.away[p] for p in above if p in self.away), None)
        inner = [p for p in paths.shown if p.startswith(f"{path}/")]
        known = list(self.templates) if path.startswith("blocks/") else paths.shown
        ends = [p for p in known if p.lower().endswith(f"/{path.lower()}")]
        near = f"did you mean `{ends[0]}`?" if ends else did_you_mean(path, known)
        self.report.error(
            "E310" if patch.by_command_line else "E318",
            f"`{path}` is a branch" if inner else f"there is no layer `{path}`",
            patch.position,
            rows=[row] if row else (),
            hint=f"name a layer in it, as `{inner[0]}`" if inner else near if not row else None,
        )


def positions(patch: Patch) -> Iterator[Position]:
    """Yield the place of every key and value that a patch wrote."""
    nodes = [e.node for e in patch.entries.values()]
    yield from (e.position for e in patch.entries.values())
    nodes += [patch.content] if patch.content else []
    while nodes:
        node = nodes.pop()
        yield node.position
        if isinstance(node, Mapping):
            yield from (e.position for e in node.entries.values())
            nodes += [e.node for e in node.entries.values()]
        elif not isinstance(node, Scalar):
            nodes += node.items
