"""Patches, applied where what they address expands: the templates' first, then the instances'.

A patch changes what was written before it: its `order` is held against that of the file or patch
which brought its target in. What a base patched and a child replaced or removed is void.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from archcompiler import rewrite
from archcompiler.blame import Told
from archcompiler.errors import Report, Row
from archcompiler.missing import Missing
from archcompiler.ops import BY_KEY
from archcompiler.overwritten import Overwritten
from archcompiler.patches import Patches
from archcompiler.paths import TOP, Address
from archcompiler.position import Source
from archcompiler.reading import Reading
from archcompiler.references import Place
from archcompiler.renamed import (
    MOST_NAMES,
    former,
    is_repeated_by_template,
    renamed,
    template_name,
)
from archcompiler.source import Entry, Mapping
from archcompiler.spec import COMMON, CONTAINERS, CONTENT, Block, Branch, Layer, Past, Patch
from archcompiler.validate import Validator

OF_LIST = ("layers", *(key for key in COMMON if key not in ("name", "repeat")))
"""What `set` may give to a branch that is a list of layers."""
Found = tuple[Layer, Place]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A layer that later patches than the `last` may change; these `patches` made it what it is."""

    layer: Layer
    place: Place
    last: int
    instance: bool = False
    patches: tuple[Patch, ...] = ()


@dataclass(slots=True)
class Edits:
    """The patches of a spec, and which of them did something.

    Methods note in `used` what they applied, in `missing` and `overwritten` what they took away.
    """

    patches: tuple[Patch, ...]
    born: dict[str, int]
    bases: Collection[Source]
    report: Report
    missing: Missing = field(default_factory=Missing)
    overwritten: Overwritten = field(default_factory=Overwritten)
    used: set[int] = field(default_factory=set)
    told: Told = field(default_factory=Told)
    known: Patches = field(init=False)
    reading: Reading = field(init=False)
    _shared: dict[tuple[int, Address, int], tuple[Layer, list[tuple[Layer, int]]]] = field(
        default_factory=dict
    )
    """By a template's layer, whose identity must stay, and its place, what patches made of it."""

    def __post_init__(self) -> None:
        self.known, self.reading = Patches(self.patches), Reading(self.report)
        for part, order in self.born.items():
            self.missing.lose(part.removeprefix("heads/"), order)

    # Lists of layers

    def layers(self, layer: Layer, place: Place, *, instance: bool = False) -> list[Found]:
        """Return what stands in a layer's place, each with its own place; maybe nothing.

        An `instance` is one of a repeated layer.
        """
        if not self.known:
            return [(layer, place)]
        found = [(layer, place)]
        if place.template.path and not (instance and not is_repeated_by_template(layer)):
            found = self._of_template(layer, place, instance)
        found = [f for one, at in found for f in self._edited(one, at, instance, templates=False)]
        self.overwritten.keep_layers(one for one, _ in found)
        return found

    def _of_template(self, layer: Layer, place: Place, instance: bool) -> list[Found]:
        """Return what the patches of a template make of a layer, the same in each of its uses."""
        if instance:
            return self._edited(layer, place, instance, templates=True)
        key = (id(layer), place.template, place.template_born)
        if key not in self._shared:
            made = self._edited(layer, place, instance, templates=True)
            self._shared[key] = layer, [(one, at.template_born) for one, at in made]
        found = self._shared[key][1]
        return [(one, dataclasses.replace(place, template_born=born)) for one, born in found]

    def _edited(
        self, layer: Layer, place: Place, instance: bool, *, templates: bool
    ) -> list[Found]:
        """Return what the patches of a template, or of one place, make of a layer."""
        found: list[Found] = []
        last = place.template_born if templates else place.born
        waiting = [_Piece(layer, place, last, instance=instance)]
        while waiting:
            piece = waiting.pop()
            patch = self._next(
                piece.layer, piece.last, piece.place, templates=templates, alone=piece.instance
            )
            if patch is None:
                found.append((piece.layer, piece.place))
            else:
                waiting += reversed(self._applied(piece, patch, templates))
        return found

    def _applied(self, piece: _Piece, patch: Patch, templates: bool) -> list[_Piece]:
        """Return what stands in a layer's place after one patch, for the later ones to go on."""
        layer, place = piece.layer, piece.place
        if patch.verb == "set":
            layer = self._set(layer, patch, piece.instance, templates)
            patches = (*piece.patches, patch)
            return [dataclasses.replace(piece, layer=layer, last=patch.order, patches=patches)]
        replaced = layer if patch.verb == "replace" else None
        layers = self._content(patch) if patch.verb != "remove" else ()
        if replaced and layers:
            first = rewrite.in_place(layers[0], replaced, single=len(layers) == 1)
            layers = (dataclasses.replace(first, before=(replaced, patch)), *layers[1:])
        if templates:
            place = dataclasses.replace(place, template_born=patch.order)
        else:
            place = dataclasses.replace(place, born=patch.order, template=TOP)
        alone = (patch,) if len(layers) == 1 else ()
        brought = [_Piece(one, place, patch.order, patches=alone) for one in layers]
        rest = dataclasses.replace(piece, last=patch.order)
        if patch.verb == "before":
            return [*brought, rest]
        if patch.verb == "after":
            return [rest, *brought]
        self.missing.take(patch, piece.patches, kept=("from", "name"))
        self.overwritten.take(layer.node, patch)
        return brought

    def _content(self, patch: Patch) -> tuple[Layer, ...]:
        content = patch.content
        assert content is not None
        read = partial(Validator.sequence, node=content)
        made = partial(self.reading.checked, patch, content, read)
        return self.reading.once(content, patch, made) or ()

    def _next(
        self,
        named: Layer | Branch,
        last: int,
        place: Place,
        *,
        templates: bool,
        alone: bool = False,
    ) -> Patch | None:
        """Return the patch behind the `last` one of what has a name there, and mark it.

        A copy of a repeated layer is asked for `alone`, behind all of them together.
        """
        if named.name is None:
            return None
        if isinstance(named, Branch):
            inside = place.within(named.name.text)
            addresses = [inside.template if templates else inside.address]
            addresses += [inside.timed] if inside.timed and not templates else []
        elif templates:
            own = former(named, templates=True, last=last, alone=alone)
            addresses = [place.template.inside(template_name(named), own)]
        else:
            addresses = place.addresses(named, last, alone=alone)
        if templates:
            self.missing.templates.setdefault(addresses[0].path)
        found = self.known.behind(last, addresses)
        if found:
            self.used.add(found.order)
        return found

    def _set(self, layer: Layer, patch: Patch, instance: bool, templates: bool) -> Layer:
        others = [k for k in patch.entries if (k in BY_KEY or k in CONTAINERS) and k != layer.key]
        if layer.key == "block":
            others = [k for k in others if k not in CONTENT]
        if others:
            self.refuse(
                patch,
                f"`{patch.path}` is `{layer.key}`, and `set` cannot make it `{others[0]}`",
                f"replace it: `{{replace: {patch.path}, by: {{{others[0]}: ...}}}}`",
                rows=[Row(label=f"`{layer.key}`", position=layer.position)],
            )
        elif instance and "repeat" in patch.entries:
            self.refuse(
                patch,
                f"`{patch.path}` is one of a repeated layer",
                self.missing.copies_hint(patch.path),
            )
        else:
            return (
                self.reading.once(layer, patch, lambda: self._changed(layer, patch, templates))
                or layer
            )
        return layer

    def _changed(self, layer: Layer, patch: Patch, templates: bool) -> Layer | None:
        """Return a layer as a patch sets it; what it says of a block's own is kept for later."""
        entries = [*patch.entries]
        of_block = [k for k in entries if k in CONTENT] if layer.key == "block" else []
        self.told.note(layer, patch)
        before = (layer, patch)
        if of_block:
            layer = dataclasses.replace(layer, of_block=(*layer.of_block, patch))
            entries = [k for k in entries if k not in of_block]
        if not entries:
            return layer
        node = self.over(layer.node, patch, keys=entries)
        changed = self.reading.checked(patch, node, lambda v: v.layer(node))
        if changed is None:
            return None
        kept = {"name": "name", "repeat": "repeat", "expect": "expect", "from": "sources"}
        own = {f: getattr(layer, f) for key, f in kept.items() if key not in entries}
        own |= {"past": layer.past, "copy": layer.copy}
        if layer.name and not {"name", "repeat"}.isdisjoint(entries):
            own["past"] = self._past(layer, patch, templates)
        if "name" in entries:
            self.missing.away[patch.path] = Row(label="renamed", position=patch.position)
        fresh = self.fresh(layer, patch, templates)
        if layer.block and changed.block and changed.block.text != layer.block.text:
            layer, fresh = self._of_another_block(layer, patch, templates)
        own |= {"of_block": layer.of_block, "fresh": fresh, "before": before}
        return dataclasses.replace(changed, **own)

    def _past(self, layer: Layer, patch: Patch, templates: bool) -> tuple[Past, ...]:
        """Return the names of a layer, with the one that a patch takes from it or its copies."""
        if len(layer.past) == MOST_NAMES:
            message = f"`{patch.path}` had {MOST_NAMES} names already"
            self.report.error("E304", message, patch.position)
            self.report.raise_errors()
        return renamed(layer, patch, by_template=templates)

    def _of_another_block(
        self, layer: Layer, patch: Patch, templates: bool
    ) -> tuple[Layer, dict[str, tuple[int, bool]]]:
        """Return an instance that has nothing of what earlier patches made of its old block."""
        self.missing.lose(f"{patch.path}/", patch.order, patch)
        before = [other for other in layer.of_block if other is not patch]
        for entry in (e for other in before for k, e in other.entries.items() if k in CONTENT):
            self.overwritten.take(entry.node, patch)
        of_block = tuple(other for other in layer.of_block if other is patch)
        return dataclasses.replace(layer, of_block=of_block), {"": (patch.order, templates)}

    def fresh(self, layer: Layer, patch: Patch, templates: bool) -> dict[str, tuple[int, bool]]:
        """Note the lists that a patch writes anew: no earlier patch reaches into them."""
        node = patch.entries["branches"].node if "branches" in patch.entries else None
        names = [""] if "layers" in patch.entries else []
        names += node.entries if isinstance(node, Mapping) else ()
        for name in names:
            self.missing.lose(f"{patch.path}/{name}", patch.order, patch)
        return layer.fresh | dict.fromkeys(names, (patch.order, templates))

    def inside(self, layer: Layer, place: Place, name: str = "") -> Place:
        """Return the place of a container's layers, or of a branch of that name."""
        order, templates = layer.fresh.get(name, (0, False))
        if templates:
            return dataclasses.replace(place, template_born=max(place.template_born, order))
        if order:
            return dataclasses.replace(place, born=max(place.born, order), template=TOP)
        return place

    # Branches and blocks

    def branches(self, layer: Layer, place: Place) -> list[tuple[Branch, Place]]:
        """Return the branches of a fork, each with its place."""
        if not self.known:
            return [(branch, place) for branch in layer.branches]
        found = []
        for branch in layer.branches:
            own = self.inside(layer, place, branch.name.text)
            kept: tuple[Branch, Place] | None = (branch, own)
            for templates in (True, False):
                if kept and (own.template.path or not templates):
                    kept = self._branch(*kept, templates=templates)
            found += [kept] if kept else []
        for branch, _ in found:
            self.overwritten.keep(branch.node)
        return found

    def _branch(
        self, branch: Branch, place: Place, *, templates: bool
    ) -> tuple[Branch, Place] | None:
        last = place.template_born if templates else place.born
        patches: tuple[Patch, ...] = ()
        while patch := self._next(branch, last, place, templates=templates):
            last = patch.order
            if patch.verb in ("before", "after"):
                self.refuse(
                    patch,
                    f"`{patch.path}` is a branch, which `{patch.verb}` cannot address",
                    "address a layer in it; a branch is added by "
                    "`{set: FORK, branches: {NAME: [...]}}`",
                )
                continue
            if patch.verb != "set":
                self.missing.take(patch, patches)
                self.overwritten.take(branch.node, patch)
            if patch.verb == "remove":
                return None
            patches = (*patches, patch)
            odd = [k for k in patch.entries if k not in OF_LIST]
            if not branch.single and odd:
                inner = next((f", as `{patch.path}/{n.name}`" for n in branch.layers if n.name), "")
                self.refuse(
                    patch,
                    f"`{patch.path}` is a list of layers and has no `{odd[0]}`",
                    f"name a layer in it{inner}",
                )
                continue
            branch = (
                self.reading.once(branch, patch, partial(self._rewritten, branch, patch)) or branch
            )
            anew = patch.verb == "replace" or "layers" in patch.entries
            if patch.verb == "set" and anew:
                self.missing.lose(f"{patch.path}/", patch.order, patch)
            if anew and templates:
                place = dataclasses.replace(place, template_born=patch.order)
            elif anew:
                place = dataclasses.replace(place, born=patch.order, template=TOP)
        return branch, place

    def _rewritten(self, branch: Branch, patch: Patch) -> Branch | None:
        """Return a branch as a patch sets or replaces it."""
        node = rewrite.keyed(branch.node, patch, self.report)
        self.overwritten.note(branch.node, patch, node)
        entry = Entry(branch.name.text, branch.name.position, node)
        for layer in branch.layers:
            self.told.note(layer, patch)
        found = self.reading.checked(patch, node, partial(Validator.branch, entry=entry))
        return found and rewrite.after_branch(found, branch, patch)

    def block(self, layer: Layer, block: Block, place: Place) -> tuple[Layer, Place]:
        """Return what an instance is made of, and its place, as far as patches say."""
        born = self.born.get(f"blocks/{block.name}", 0)
        if born:
            self.missing.lose(f"{place.prefix}/", born)
        inside = block.layer
        for patch in layer.of_block:
            if patch.order > born:
                made = partial(self._inside, inside, patch)
                inside = self.reading.once(inside, patch, made) or inside
        self.overwritten.keep(inside.node)
        own = max(place.born, born, _swapped(layer))
        return inside, dataclasses.replace(place, born=own, template_born=born)

    def of_instance(self, layer: Layer, inside: Place) -> tuple[str, ...]:
        """Return the paths, from an instance, of what patches make of it alone; `.` is itself."""
        born = max(inside.born, self.born.get(f"blocks/{layer.block}", 0), _swapped(layer))
        addresses = [inside.address, *([inside.timed] if inside.timed else ())]
        return tuple(dict.fromkeys(self.known.below(born, addresses)))

    def _inside(self, layer: Layer, patch: Patch) -> Layer | None:
        """Return a block's container as a patch of an instance sets it."""
        node = self.over(layer.node, patch, keys=CONTENT)
        self.told.note(layer, patch)
        found = self.reading.checked(patch, node, partial(Validator.container, node=node))
        fresh = self.fresh(layer, patch, False)
        return found and dataclasses.replace(found, fresh=fresh, before=(layer, patch))

    # What patches make

    def over(
        self, node: Mapping, patch: Patch, known: Collection[str] = (), keys: rewrite.Keys = None
    ) -> Mapping:
        """Put a patch's entries, or those `keys` of it, over a node."""
        found = rewrite.over(node, patch, self.report, known, keys)
        self.overwritten.note(node, patch, found)
        return found

    # What cannot be

    def refuse(
        self, patch: Patch, message: str, hint: str | None, rows: Sequence[Row] = ()
    ) -> None:
        """Report a patch that cannot be."""
        rewrite.refuse(patch, message, hint, self.report, rows=rows)


def _swapped(layer: Layer) -> int:
    """Return the order of the patch that made a layer an instance of another block, or 0."""
    order, templates = layer.fresh.get("", (0, True))
    return 0 if templates else order
