"""References: what `from:` and the order of a list mean, resolved to the layers themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from archcompiler.draft import BoundDefaults, Draft, Scope, Source
from archcompiler.errors import Report, Row, did_you_mean
from archcompiler.ops import BY_KEY
from archcompiler.paths import NUMBERED, TOP, Address, join
from archcompiler.renamed import former, template_name
from archcompiler.spec import Layer, Name, Spec, removed

Frames = tuple[dict[str, Draft], ...]
"""What a layer may refer to: its own list's earlier layers, then the enclosing lists'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a layer stands: the address of what is around it, its template's, what it may see.

    `born` and `template_born` are the order of what wrote it there and in its template: patches
    that come later may change it.
    """

    scope: Scope
    defaults: BoundDefaults
    frames: Frames
    address: Address = TOP
    template: Address = TOP
    """Its path is empty outside of blocks, and for what patches brought into one instance."""
    timed: Address | None = None
    """The address with the names that templates gave from when on they did, where these changed:
    what a base called something holds where its variant renames it in the template."""
    blocks: tuple[str, ...] = ()
    depth: int = 0
    born: int = 0
    template_born: int = 0

    @property
    def prefix(self) -> str:
        """Return the path of what is around."""
        return self.address.path

    def inside(self, layer: Layer) -> Place:
        """Return the place of what stands in a container."""
        name = layer.name.text if layer.name else ""
        if not layer.past:
            return self.within(name)
        template, timed = self.template, self.timed
        theirs = former(layer, templates=True)
        if template.path:
            template = template.inside(template_name(layer), theirs)
        if timed or theirs:
            timed = (timed or self.address).inside(name, former(layer, templates=None))
        address = self.address.inside(name, former(layer, templates=False))
        return dataclasses.replace(self, address=address, template=template, timed=timed)

    def within(self, name: str) -> Place:
        """Return the place one name further in."""
        return dataclasses.replace(
            self,
            address=self.address.inside(name),
            template=self.template.inside(name) if self.template.path else self.template,
            timed=self.timed and self.timed.inside(name),
        )

    def addresses(self, layer: Layer, last: int, *, alone: bool) -> list[Address]:
        """Return what patches behind the order `last` call a layer; a copy `alone`, or all."""
        name = layer.name.text if layer.name else ""
        own = former(layer, templates=False, last=last, alone=alone)
        found = [self.address.inside(name, own)]
        if self.timed or any(past.by_template for past in layer.past):
            every = former(layer, templates=None, last=last, alone=alone)
            found.append((self.timed or self.address).inside(name, every))
        return found


@dataclass(slots=True)
class References:
    """Resolves names, and knows which values are read."""

    spec: Spec
    report: Report
    away: Mapping[str, Row] = field(default_factory=dict)
    """By path, the patch that took a layer away."""
    read: set[Source] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    dead: int = 0
    written: dict[str, Name] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _written_names(self.spec):
            self.written.setdefault(name.text.lower(), name)

    def sources(self, layer: Layer, current: Source, place: Place) -> tuple[Source, ...] | None:
        """Return what a layer reads; None where that was reported."""
        several = layer.key in BY_KEY and BY_KEY[layer.key].several_inputs
        if not layer.sources:
            if several:
                self.report.error(
                    "E312",
                    f"`{layer.key}` needs `from:` with at least two names",
                    layer.position,
                    hint=f"write `{{{layer.key}, from: [input, a], name: b}}`",
                )
                return None
            return (current,)
        if not several and len(layer.sources) > 1:
            self.report.error(
                "E312", f"`{layer.key}` takes one input", layer.sources[1].position,
                hint="join them first with `concat` or `add`",
            )  # fmt: skip
            return None
        if several and len(layer.sources) < 2:
            self.report.error(
                "E312",
                f"`{layer.key}` needs at least two inputs",
                layer.sources[0].position,
                hint=f"list them: `from: [input, {layer.sources[0]}]`",
            )
            return None
        found = [self._resolve(source, layer, place) for source in layer.sources]
        return tuple(s for s in found if s) if all(found) else None

    def _resolve(self, name: Name, layer: Layer, place: Place) -> Source | None:
        if name.text == "input":
            return place.scope.enters
        for frame in place.frames:
            if name.text in frame:
                return frame[name.text]
        if name.text in self.failed:
            return None
        known = [n for frame in place.frames for n in frame]
        hint = did_you_mean(name.text, (*known, "input"))
        found = self.written.get(name.text.lower())
        if any(h.training_only and h.name.text == name.text for h in self.spec.heads):
            hint = "evaluation leaves training-only heads out, so only others like it can read it"
        elif "/" in name.text:
            hint = f"a reference is one name and cannot see inside `{name.text.split('/')[0]}`"
        elif found and found.text == name.text:
            hint = "a reference sees earlier layers of its own list and of the lists around it"
            hint += ", up to the block's border" if place.blocks else ""
        elif known and not hint:
            shown = dict.fromkeys(known[-5:])
            hint = f"earlier layers are {'..., ' if len(known) > 5 else ''}{', '.join(shown)}"
        rows = [Row(label=f"`{found}` stands at", position=found.position)] if found else []
        path = join(place.prefix, layer.name.text) if layer.name else "..."
        another = f"let it read another layer: `{{set: {path}, from: ...}}`"
        if taken := self._taken(name.text, place):
            rows, hint = [taken], another
        elif name.position.source in self.spec.bases:  # it was there, and is no more
            hint = another
        copies = [n for n in known if (m := NUMBERED.fullmatch(n)) and m[1] == name.text]
        if copies and not taken:
            rows, hint = [], f"it is repeated; the last of its copies is `{copies[-1]}`"
        self.report.error(
            "E302", f"`{name}` is no earlier layer here", name.position, rows=rows, hint=hint
        )
        return None

    def _taken(self, name: str, place: Place) -> Row | None:
        """Return what took a layer away that stood in one of the lists around a place."""
        around = [name]
        for prefix in (place.template.path, place.prefix):
            parts = prefix.split("/")
            around += ["/".join((*parts[:n], name)) for n in range(1, len(parts) + 1)]
        found = next((self.away[path] for path in reversed(around) if path in self.away), None)
        return found or next(iter(removed(self.spec, f"heads/{name}")), None)

    def check_dead(self, layers: Sequence[Draft], output: Source) -> None:
        """Report layers of a list whose value nothing reads."""
        for draft in layers:
            if draft is not output and draft not in self.read and not draft.end_point:
                self.dead += 1
                self.report.error(
                    "E317",
                    f"nothing reads `{draft.path}`",
                    draft.position,
                    hint="refer to it with `from:`, or make it an `end_point: true`",
                )


def _written_names(spec: Spec) -> Iterable[Name]:
    yield from (h.name for h in spec.heads)
    layers = [spec.stem, spec.body, *(h.layer for h in spec.heads)]
    layers += [b.layer for b in spec.blocks.values()]
    while layers:
        layer = layers.pop()
        if layer.name:
            yield layer.name
        if layer.repeat and isinstance(layer.repeat.value, list):
            yield from layer.repeat.value
        for branch in layer.branches:
            yield branch.name
            layers += branch.layers
        layers += layer.layers
