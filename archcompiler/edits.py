"""Patches, applied where what they address expands: the templates' first, then the instances'.

A patch changes what was written before it: its `order` is held against that of the file or patch
which brought its target in. What a base patched and a child replaced or removed is void.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar, cast

from archcompiler import rewrite
from archcompiler.errors import Report, Row
from archcompiler.missing import Missing
from archcompiler.ops import BY_KEY
from archcompiler.paths import Paths, join
from archcompiler.position import Position, Source
from archcompiler.references import Place
from archcompiler.source import Entry, Node
from archcompiler.spec import COMMON, CONTAINERS, Block, Branch, Head, Layer, Name, Patch, Spec
from archcompiler.validate import Validator

OF_BLOCK = ("layers", "branches", "join", "split")
"""Keys of an instance that mean those of its block."""
OF_LIST = ("layers", *(key for key in COMMON if key not in ("name", "repeat")))
"""What `set` may give to a branch that is a list of layers."""
MOST_READ_AGAIN = 50_000
"""So many values patches may make archc read again: the product of two long lists takes minutes."""

Found = tuple[Layer, Place]
T = TypeVar("T")


@dataclass(slots=True)
class Edits:
    """The patches of a spec, and which of them did something.

    Methods note in `used` what they applied, in `missing` what they took away.
    """

    patches: tuple[Patch, ...]
    born: dict[str, int]
    bases: Collection[Source]
    report: Report
    missing: Missing = field(default_factory=Missing)
    used: set[int] = field(default_factory=set)
    patched: dict[Position, list[Row]] = field(default_factory=dict)
    """By place of a layer, the patches that set something of it."""
    below: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """By path, what patches address from there, and their order."""
    _by_path: dict[str, list[Patch]] = field(default_factory=dict)
    _made: dict[tuple[int, int], tuple[object, object]] = field(default_factory=dict)
    """By what was patched and the patch, what came of it: instances share their templates."""
    _read_again: int = 0

    def __post_init__(self) -> None:
        for patch in self.patches:
            self._by_path.setdefault(patch.path, []).append(patch)
            parts = patch.path.split("/")
            for depth in range(1, len(parts)):
                below = ("/".join(parts[depth:]), patch.order)
                self.below.setdefault("/".join(parts[:depth]), []).append(below)
            if {"defaults", *OF_BLOCK} & patch.entries.keys():
                self.below.setdefault(patch.path, []).append((".", patch.order))
        for part, order in self.born.items():
            self.missing.gone.append((part.removeprefix("heads/"), order))

    # What stands at the top of a spec

    def roots(self, spec: Spec) -> Spec:
        """Apply the patches that address sections, heads and templates themselves."""
        sections = {"stem": spec.stem, "body": spec.body}
        blocks, heads = dict(spec.blocks), {head.name.text: head for head in spec.heads}
        for patch in self.patches:
            first, _, rest = patch.path.partition("/")
            if patch.path in sections:
                sections[patch.path] = self._section(sections[patch.path], patch)
            elif first == "blocks" and rest in blocks:
                blocks[rest] = self._template(blocks[rest], patch)
            elif patch.path in heads:
                head = self._head(heads.pop(patch.path), patch)
                heads |= {patch.path: head} if head else {}
        order = [head.name.text for head in spec.heads]
        kept = [heads[name] for name in order if name in heads]
        stem, body = sections["stem"], sections["body"]
        return dataclasses.replace(spec, blocks=blocks, heads=tuple(kept), stem=stem, body=body)

    def _section(self, layer: Layer, patch: Patch) -> Layer:
        hint = f"write it anew: `{patch.path}: [...]`"
        if not self._may(patch, self.born[patch.path], ("set",), "a section", hint):
            return layer
        entry = Entry(
            patch.path, layer.position, rewrite.over(layer.node, patch.entries, self.report)
        )
        return self._checked(patch, entry.node, lambda v: v.section(entry)) or layer

    def _template(self, block: Block, patch: Patch) -> Block:
        hint = f"write it anew: `blocks: {{{block.name}: ...}}`"
        if patch.verb == "remove":
            hint = f"write `blocks: {{{block.name}: null}}`"
        if not self._may(patch, self.born[patch.path], ("set",), "a block", hint):
            return block
        node = rewrite.over(block.node, patch.entries, self.report, ("params",))
        entry = Entry(block.name.text, block.name.position, node)
        self._note(block.layer, patch)
        return self._checked(patch, node, lambda v: v.block(entry)) or block

    def _head(self, head: Head, patch: Patch) -> Head | None:
        part = f"heads/{head.name}"
        hint = "add one under `heads:`"
        if not self._may(patch, self.born[part], ("set", "replace", "remove"), "a head", hint):
            return head
        if patch.verb != "set":
            self.born[part] = patch.order
            self.missing.take(patch)
        if patch.verb == "remove":
            return None
        node = rewrite.keyed(head.node, patch, self.report, head=True)
        entry = Entry(head.name.text, head.name.position, node)
        return self._checked(patch, node, lambda v: v.head(entry)) or head

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
        if not self._by_path or layer.name is None:
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
                self.missing.take(patch)
                replaced = patch.verb == "replace"
                here = self._brought(patch, place, layer, templates=templates) if replaced else []
                return [*before, *here, *after]
        return [*before, (layer, place), *after]

    def _brought(
        self, patch: Patch, place: Place, replaced: Layer | None, *, templates: bool
    ) -> list[Found]:
        """Return the layers that a patch brings in, with what later patches make of them."""
        layers = self._content(patch)
        if replaced and layers:
            layers = (rewrite.in_place(layers[0], replaced, single=len(layers) == 1), *layers[1:])
        if templates:
            place = dataclasses.replace(place, template_born=patch.order)
        else:
            place = dataclasses.replace(place, born=patch.order, template="")
        edited = (self._edited(one, place, False, templates=templates) for one in layers)
        return [found for pieces in edited for found in pieces]

    def _content(self, patch: Patch) -> tuple[Layer, ...]:
        content = patch.content
        assert content is not None
        return (
            self._once(
                content, patch, lambda: self._checked(patch, content, lambda v: v.sequence(content))
            )
            or ()
        )

    def _next(self, name: Name | None, last: int, place: Place, *, templates: bool) -> Patch | None:
        """Return the patch behind the `last` one of what is called `name` there, and mark it."""
        if name is None:
            return None
        path = join(place.template if templates else place.prefix, name.text)
        if templates:
            self.missing.templates.setdefault(path)
        known = self._by_path.get(path, [])
        behind = bisect_right(known, last, key=lambda patch: patch.order)
        if behind == len(known):
            return None
        self.used.add(known[behind].order)
        return known[behind]

    def _set(self, layer: Layer, patch: Patch, instance: bool) -> Layer:
        others = [k for k in patch.entries if (k in BY_KEY or k in CONTAINERS) and k != layer.key]
        if layer.key == "block":
            others = [k for k in others if k not in OF_BLOCK]
        if others:
            self._refuse(
                patch,
                f"`{patch.path}` is `{layer.key}`, and `set` cannot make it `{others[0]}`",
                f"replace it: `{{replace: {patch.path}, by: {{{others[0]}: ...}}}}`",
            )
        elif instance and "repeat" in patch.entries:
            self._refuse(
                patch,
                f"`{patch.path}` is one of a repeated layer",
                "set `repeat` of the layer as it is written",
            )
        else:
            return self._once(layer, patch, lambda: self._changed(layer, patch)) or layer
        return layer

    def _changed(self, layer: Layer, patch: Patch) -> Layer | None:
        """Return a layer as a patch sets it; what it says of a block's own is kept for later."""
        entries = patch.entries
        of_block = [k for k in entries if k in OF_BLOCK] if layer.key == "block" else []
        self._note(layer, patch)
        if of_block:
            layer = dataclasses.replace(layer, of_block=(*layer.of_block, patch))
            entries = {k: e for k, e in entries.items() if k not in of_block}
        if not entries:
            return layer
        node = rewrite.over(layer.node, entries, self.report)
        changed = self._checked(patch, node, lambda v: v.layer(node))
        if changed is None:
            return None
        kept = {"name": "name", "repeat": "repeat", "expect": "expect", "from": "sources"}
        own = {f: getattr(layer, f) for key, f in kept.items() if key not in entries}
        if "name" in entries:
            self.missing.away[patch.path] = Row(label="renamed", position=patch.position)
        return dataclasses.replace(changed, of_block=layer.of_block, **own)

    # Branches and blocks

    def branches(self, layer: Layer, place: Place) -> list[tuple[Branch, Place]]:
        """Return the branches of a fork, each with its place."""
        if not self._by_path:
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
                self.missing.take(patch)
            if patch.verb == "remove":
                return None
            odd = [k for k in patch.entries if k not in OF_LIST]
            if not branch.single and odd:
                inner = next((f", as `{patch.path}/{n.name}`" for n in branch.layers if n.name), "")
                self._refuse(
                    patch,
                    f"`{patch.path}` is a list of layers and has no `{odd[0]}`",
                    f"name a layer in it{inner}",
                )
                continue
            branch = self._once(branch, patch, partial(self._rewritten, branch, patch)) or branch
            if patch.verb == "replace" and templates:
                place = dataclasses.replace(place, template_born=patch.order)
            elif patch.verb == "replace":
                place = dataclasses.replace(place, born=patch.order, template="")
        return branch, place

    def _rewritten(self, branch: Branch, patch: Patch) -> Branch | None:
        """Return a branch as a patch sets or replaces it."""
        node = rewrite.keyed(branch.node, patch, self.report)
        entry = Entry(branch.name.text, branch.name.position, node)
        for layer in branch.layers:
            self._note(layer, patch)
        return self._checked(patch, node, partial(Validator.branch, entry=entry))

    def block(self, layer: Layer, block: Block, place: Place) -> tuple[Layer, Place]:
        """Return what an instance is made of, and its place, as far as patches say."""
        born = self.born.get(f"blocks/{block.name}", 0)
        if born:
            self.missing.gone.append((f"{place.prefix}/", born))
        inside = block.layer
        for patch in layer.of_block:
            if patch.order > born:
                made = partial(self._inside, inside, patch)
                inside = self._once(inside, patch, made) or inside
        place = dataclasses.replace(place, born=max(place.born, born), template_born=born)
        return inside, place

    def of_instance(self, path: str, block: str, place: Place) -> tuple[str, ...]:
        """Return the paths, from an instance, of what patches make of it alone; `.` is itself."""
        born = max(place.born, self.born.get(f"blocks/{block}", 0))
        found = (below for below, order in self.below.get(path, ()) if order > born)
        return tuple(dict.fromkeys(found))

    def _inside(self, layer: Layer, patch: Patch) -> Layer | None:
        """Return a block's container as a patch of an instance sets it."""
        entries = {k: e for k, e in patch.entries.items() if k in OF_BLOCK}
        node = rewrite.over(layer.node, entries, self.report)
        self._note(layer, patch)
        return self._checked(patch, node, partial(Validator.container, node=node))

    # What patches make

    def _once(self, target: object, patch: Patch, make: Callable[[], T]) -> T:
        """Make something of a target by a patch, or return what was made of it before."""
        key = (id(target), patch.order)
        if key not in self._made:
            self._made[key] = (target, make())  # with the target, whose identity must stay
        return cast(T, self._made[key][1])

    def _checked(self, patch: Patch, node: Node, read: Callable[[Validator], T | None]) -> T | None:
        """Read what a patch made; a mistake that lies outside the patch names it."""
        self._read_again += rewrite.size(node)
        if self._read_again > MOST_READ_AGAIN:
            message = f"patches change more than {MOST_READ_AGAIN:,} values"
            self.report.error("E304", message, patch.position)
            self.report.raise_errors()
        inner = Report()
        found = read(Validator(inner))
        own = set(rewrite.positions(patch))
        for problem in inner.diagnostics:
            if problem.position not in own:
                row = Row(label="patched", position=patch.position)
                problem = dataclasses.replace(problem, rows=(*problem.rows, row))
            self.report.add(problem)
        return None if inner.diagnostics else found

    def _note(self, layer: Layer, patch: Patch) -> None:
        """Note that a patch sets something of a layer."""
        row = edit_row(patch)
        rows = self.patched.setdefault(layer.position, [])
        rows += [row] if row not in rows[-1:] else []

    # What cannot be

    def _refuse(self, patch: Patch, message: str, hint: str | None) -> None:
        code = "E310" if patch.by_command_line else "E319"
        self.report.error(code, message, patch.position, hint=hint)

    def report_unused(self, paths: Paths, blocks: Collection[str]) -> None:
        """Report patches to layers that there are not; `blocks` are those nothing uses.

        What a base patches in a block that nothing uses any more is void.
        """
        heads = [part.partition("/")[2] for part in self.born if part.startswith("heads/")]
        for patch in self.patches:
            if taker := self.missing.undone(patch):
                self.missing.report_undone(patch, taker, self.report)
                continue
            first, _, rest = patch.path.partition("/")
            idle = first == "blocks" and rest.partition("/")[0] in blocks
            idle = idle and patch.position.source in self.bases
            if patch.order in self.used or idle or self.missing.is_void(patch, heads):
                continue
            self.missing.report(patch, paths, blocks, self.report)


_DONE = {"set": "patched", "remove": "removed", "replace": "replaced"}


def edit_row(patch: Patch) -> Row:
    """Return what a patch does, to which path, and where it says so."""
    word = "changed" if patch.by_command_line else _DONE.get(patch.verb, "inserted")
    return Row(label=word, value=patch.path, position=patch.position)
