"""Containers: groups, forks and block instances, each a list of layers or several."""

from __future__ import annotations

import dataclasses
from collections import ChainMap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from archcompiler.draft import BoundAttributes, Draft, DraftGraph, Port, Scope, Source
from archcompiler.edits import Edits
from archcompiler.errors import Report, did_you_mean
from archcompiler.habits import spaced
from archcompiler.paths import Address, Paths, join
from archcompiler.references import Place, References
from archcompiler.scopes import Scopes
from archcompiler.spec import Attributes, Branch, Layer, Spec, removed

MAX_DEPTH = 64


class Lists(Protocol):
    """What expands a list of layers."""

    def layers(
        self,
        layers: Sequence[Layer],
        enters: Source,
        place: Place,
        *,
        top: bool = False,
        patched: bool = False,
    ) -> tuple[tuple[Draft, ...], Source]:
        """Return the expanded layers and the value that leaves the list."""


@dataclass(slots=True, kw_only=True)
class Containers:
    """Expands containers; what is inside them is expanded by the `lists` that asked."""

    spec: Spec
    report: Report
    paths: Paths
    edits: Edits
    scopes: Scopes
    references: References
    used_blocks: set[str] = field(default_factory=set)
    read_params: dict[str, set[str]] = field(default_factory=dict)
    """By block, the parameters that any instance reads."""

    def draft(
        self,
        layer: Layer,
        path: str,
        sources: tuple[Source, ...],
        place: Place,
        end_point: bool,
        lists: Lists,
    ) -> Draft | None:
        """Expand a container, its lists by `lists`; None where that was reported."""
        if place.depth > MAX_DEPTH:
            self.report.error(
                "E304", f"containers nested deeper than {MAX_DEPTH} levels", layer.position
            )
            return None
        inner = place.inside(layer)
        inner = dataclasses.replace(
            inner, defaults=self.scopes.merged(place.defaults, layer.defaults, place.scope)
        )
        graphs: tuple[DraftGraph, ...] | None
        arguments: BoundAttributes = {}
        inside: Layer | None = None
        if layer.key == "block":
            made = self._block(layer, path, inner, lists)
            graphs = (made[0],) if made else None
            arguments = made[1] if made else {}
            inside = made[2] if made else None
        elif layer.key == "layers":
            transparent = end_point and not layer.name and layer.end_point is None
            inner = self.edits.inside(layer, inner)
            group = self._group(layer, path or "layers", inner, lists, top=transparent)
            graphs = (group,)
        else:
            graphs = self._fork(layer, inner, lists)
        if graphs is None:
            return None
        if not layer.name and layer.end_point:
            needs_name(self.report, layer, "an end point")
        word = layer.join if layer.key == "branches" else layer.key
        split = {k: self.scopes.bound(a, place.scope) for k, a in (layer.split or {}).items()}
        return Draft(
            key=layer.key,
            name=layer.name.text if layer.name else "",
            path=path or join(place.prefix, word),
            named=bool(layer.name),
            position=layer.position,
            sources=sources,
            source_positions=tuple(n.position for n in layer.sources),
            scope=place.scope,
            end_point=is_end_point(layer, end_point),
            expect=self.scopes.expectation(layer, place.scope),
            graphs=graphs,
            join=layer.join,
            split=split if layer.split is not None else None,
            template=layer.block.text if layer.block else "",
            arguments=arguments,
            patched=self.edits.of_instance(layer, inner) if layer.block else (),
            layer=layer,
            around=place.template.path,
            inside=inside,
        )

    def _group(
        self, layer: Layer, name: str, place: Place, lists: Lists, *, top: bool = False
    ) -> DraftGraph:
        port = Port(name)
        layers, output = lists.layers(layer.layers, port, place, top=top)
        if top:
            self.references.check_dead(layers, output)
        return DraftGraph(name="", port=port, layers=layers, output=output)

    def _fork(self, layer: Layer, place: Place, lists: Lists) -> tuple[DraftGraph, ...] | None:
        found = self.edits.branches(layer, place)
        if layer.split is not None:
            self._check_split(layer.split, [branch for branch, _ in found])
        graphs, free = [], True
        for branch, where in found:
            port = Port(branch.name.text)
            if branch.single:
                written = tuple(dataclasses.replace(b, name=branch.name) for b in branch.layers)
                inside = where
            else:
                written, inside = branch.layers, where.within(branch.name.text)
                defaults = self.scopes.merged(inside.defaults, branch.defaults, inside.scope)
                inside = dataclasses.replace(inside, defaults=defaults)
                if free:
                    free = self.paths.register(inside.prefix, branch.name.position, _name_it(layer))
                else:  # one error is enough for a fork
                    self.paths.taken.add(inside.prefix.lower())
            layers, output = lists.layers(written, port, inside, patched=branch.single)
            graphs.append(
                DraftGraph(
                    name=branch.name.text,
                    port=port,
                    layers=layers,
                    output=output,
                    single=branch.single,
                    branch=branch,
                    around=where.template.path,
                )
            )
        if len(found) < 2:
            away = self.edits.missing.away
            around = (place.prefix, place.template.path)
            paths = [join(p, b.name.text) for b in layer.branches for p in around]
            rows = [away[path] for path in paths if path in away]
            self.report.error(
                "E312",
                "a fork needs at least two branches",
                layer.position,
                rows=rows,
                hint="one alone is a list of layers: `layers: [...]`",
            )
            return None
        return tuple(graphs)

    def _check_split(self, split: Attributes, branches: Iterable[Branch]) -> None:
        known = {b.name.text: b for b in branches}
        left_out = [name for name in known if name not in split]
        for name, attribute in split.items():
            if name not in known:
                near = spaced(name, left_out) or did_you_mean(name, left_out)
                meant = name.partition(":")[0]
                left_out = [n for n in left_out if n != meant and near != f"did you mean `{n}`?"]
                self.report.error(
                    "E302",
                    f"`split` names `{name}`, which is no branch",
                    attribute.position,
                    hint=near or f"the branches are {', '.join(known)}",
                )
        for name in left_out:
            self.report.error(
                "E309",
                f"`split` leaves out the branch `{name}`",
                known[name].name.position,
                hint="it gives each branch its share of the channels",
            )

    def _block(
        self, layer: Layer, path: str, place: Place, lists: Lists
    ) -> tuple[DraftGraph, BoundAttributes, Layer] | None:
        assert layer.block is not None
        name = layer.block.text
        if layer.name is None:
            needs_name(self.report, layer, "a block instance")
            return None
        block = self.spec.blocks.get(name)
        if block is None:
            gone = removed(self.spec, f"blocks/{name}")
            self.report.error(
                "E301",
                f"there is no block `{name}`",
                layer.block.position,
                rows=gone,
                hint=f"keep the block, or replace this layer: `{{replace: {path}, by: [...]}}`"
                if gone
                else did_you_mean(name, self.spec.blocks)
                or (
                    f"the blocks are {', '.join(self.spec.blocks)}"
                    if self.spec.blocks
                    else "this spec has none; they stand in `blocks:` at the top"
                ),
            )
            return None
        self.used_blocks.add(name)
        if name in place.blocks:
            chain = " > ".join((*place.blocks[place.blocks.index(name) :], name))
            self.report.error("E303", f"a block contains itself: {chain}", layer.block.position)
            return None
        # What enters the block is known by this port; `in_channels` inside means its channels.
        scope = Scope(ChainMap({}, self.scopes.of_spec(place.scope)), Port(path))
        arguments = self.scopes.arguments(layer, place.scope, scope, block.params)
        if arguments is None or self.scopes.circular(arguments, scope):
            return None
        scope.params.update(arguments)
        inside = Place(
            address=place.address,
            timed=place.timed,
            template=Address(f"blocks/{name}"),
            scope=scope,
            defaults=place.defaults,
            frames=(),
            blocks=(*place.blocks, name),
            depth=place.depth,
            born=place.born,
        )
        written, inside = self.edits.block(layer, block, inside)
        inside = dataclasses.replace(
            inside, defaults=self.scopes.merged(inside.defaults, written.defaults, scope)
        )
        port = scope.enters
        assert port is not None
        written = dataclasses.replace(written, defaults={}, name=None)
        if written.key == "layers":
            inside = self.edits.inside(written, inside)
            layers, output = lists.layers(written.layers, port, inside)
        else:
            layers, output = lists.layers((written,), port, inside)
        self.read_params.setdefault(name, set()).update(self.scopes.read.get(scope, ()))
        return DraftGraph(name="", port=port, layers=layers, output=output), arguments, written


def needs_name(report: Report, layer: Layer, what: str) -> None:
    """Report a layer that must have a name."""
    report.error(
        "E306",
        f"{what} needs a name",
        layer.position,
        hint=f"add `name: {layer.key.title().replace('_', '')}_1`",
    )


def is_end_point(layer: Layer, by_default: bool) -> bool:
    """Tell whether a layer is an end point: by its own word, else as its place has it."""
    return bool(layer.name) and (by_default if layer.end_point is None else layer.end_point)


def _name_it(fork: Layer) -> str | None:
    if fork.name:
        return None
    return "name the fork: `name: Mixed_1` beside `branches`, then its branches are inside it"
