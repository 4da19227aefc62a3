"""Room 3, expand: a `Spec` to a graph without shapes.

Blocks are instantiated, repeats unrolled, references resolved to the objects they mean, defaults
merged. Attributes may stay expressions; structure never waits for a shape.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from archcompiler import fields, overrides, targets
from archcompiler.blame import Blame, edit_row
from archcompiler.containers import Containers, is_end_point, needs_name
from archcompiler.draft import (
    Bound,
    BoundAttributes,
    BoundDefaults,
    Draft,
    DraftGraph,
    DraftHead,
    DraftNetwork,
    Port,
    Scope,
    Source,
)
from archcompiler.edits import Edits
from archcompiler.errors import ArchcError, Report, Row
from archcompiler.layer_count import LayerCount
from archcompiler.names import problem as name_problem
from archcompiler.op import Op
from archcompiler.ops import BY_KEY
from archcompiler.outputs import output
from archcompiler.overrides import Assignment
from archcompiler.paths import Paths, join
from archcompiler.position import Position
from archcompiler.references import Frames, Place, References
from archcompiler.requirements import Requirements
from archcompiler.roots import roots
from archcompiler.scopes import Scopes
from archcompiler.spec import Head, Layer, Name, Spec
from archcompiler.unused import report_unused

MAX_LAYERS = 100_000
MAX_GIVEN = 100_000


def expand(spec: Spec, assignments: Sequence[Assignment] = ()) -> DraftNetwork:
    """Expand a spec. Raises `ArchcError` with all errors found: E301 to E321 and
    E204, E206, E209, E401, E409 for what must be known here."""
    report = Report()
    spec = overrides.apply(spec, assignments, report)
    edits = Edits(spec.patches, dict(spec.born), spec.bases, report)
    spec = roots(edits, spec)
    expander = _Expander(
        spec=spec,
        report=report,
        changes=tuple(a.position.source.text for a in assignments),
        paths=Paths(report),
        edits=edits,
        scopes=Scopes(spec, report),
        references=References(spec, report, edits.missing.away),
    )
    try:
        network = expander.network()
        report.raise_errors()
    except ArchcError as error:
        blame = expander.blame()
        found = (targets.told(blame.told(d), spec) for d in error.diagnostics)
        raise ArchcError(*found) from None
    return network


@dataclass(slots=True, kw_only=True)
class _Expander:
    """One walk over a spec; what it needs to know lies in the parts below."""

    spec: Spec
    report: Report
    changes: tuple[str, ...]
    paths: Paths
    edits: Edits
    scopes: Scopes
    references: References
    requirements: Requirements = field(default_factory=Requirements)
    containers: Containers = field(init=False)
    sizes: LayerCount = field(init=False)
    count: int = 0
    given: int = 0
    noted: int = 0

    def __post_init__(self) -> None:
        self.sizes = LayerCount(self.spec.blocks, self.spec.patches)
        self.containers = Containers(
            spec=self.spec,
            report=self.report,
            paths=self.paths,
            edits=self.edits,
            scopes=self.scopes,
            references=self.references,
        )

    def network(self) -> DraftNetwork:
        spec = self.spec
        params: BoundAttributes = {}
        top = Scope(params, None)
        params |= {k: Bound(v, at, top) for k, (v, at) in spec.params.items()}
        defaults = self.scopes.merged({}, spec.defaults, top)
        port = Port(spec.name.text)
        stem = self.section(spec.stem, "stem", top, defaults, port, ())
        stem_names = _names(stem.layers)
        body = self.section(spec.body, "body", top, defaults, stem.output, (stem_names,))
        known = {**stem_names, **_names(body.layers)}
        heads = self.heads(spec.heads, top, defaults, body.output, known)
        self.requirements.report(self.report)
        self.noted = report_unused(spec, self.containers, self.edits, self.paths, self.report)
        if not self.problems:  # what failed may have read them
            self.references.check_dead((*stem.layers, *body.layers), body.output)
        return DraftNetwork(
            name=spec.name.text,
            summary=spec.summary,
            input=spec.input,
            port=port,
            params=params,
            free_params=self.scopes.free_params(),
            stem=stem,
            body=body,
            heads=heads,
            output=output(spec, self.report),
            changes=self.changes,
            position=spec.position,
            lineage=spec.lineage,
            notes=self.report.notes,
            blame=self.blame(),
            written=spec,
            gone=self.edits.missing.gone,
        )

    def blame(self) -> Blame:
        own = [p for p in self.spec.patches if p.position.source not in self.spec.bases]
        patches = tuple(map(edit_row, own))
        spec, edits = self.spec, self.edits
        at = spec.input_position
        image = Row(label="input", value=fields.shape_text(spec.input), position=at)
        told = None if at.source in spec.bases else image
        return Blame(spec.bases, spec.extends, edits.told.patched, edits.told.taking, told, patches)

    # Sections and heads

    def section(
        self,
        layer: Layer,
        name: str,
        top: Scope,
        defaults: BoundDefaults,
        enters: Source,
        outer: Frames,
    ) -> DraftGraph:
        port = enters if isinstance(enters, Port) else Port(name)
        scope = Scope(top.params, port)
        place = Place(
            scope=scope,
            defaults=self.scopes.merged(defaults, layer.defaults, scope),
            frames=outer,
            born=self.edits.born.get(name, 0),
        )
        self.references.read.add(enters)
        layers, output = self.layers(layer.layers, enters, place, top=True)
        return DraftGraph(name=name, port=port, layers=layers, output=output)

    def heads(
        self,
        heads: Iterable[Head],
        top: Scope,
        defaults: BoundDefaults,
        trunk: Source,
        known: dict[str, Draft],
    ) -> tuple[DraftHead, ...]:
        frame, evaluated = dict(known), dict(known)
        found = []
        for head in heads:
            layer = dataclasses.replace(head.layer, name=head.name)
            port = Port(head.name.text)
            scope = Scope(top.params, port)
            for name in (n for n in layer.sources if n.text == "input"):
                self.report.error(
                    "E302",
                    "`input` is what enters the head, so it cannot say what enters it",
                    name.position,
                    hint="name a layer, or drop `from` to read the end of the body",
                )
            seen = frame if head.training_only else evaluated
            place = Place(
                scope=scope,
                defaults=defaults,
                frames=(seen,),
                born=self.edits.born.get(f"heads/{head.name}", 0),
            )
            drafts = self.instances(layer, trunk, place, end_point=True)
            if drafts:
                frame[head.name.text] = drafts[-1]
                if not head.training_only:
                    evaluated[head.name.text] = drafts[-1]
                self.references.read |= set(drafts)
                found.append(
                    DraftHead(
                        layer=drafts[-1],
                        port=port,
                        training_only=head.training_only,
                        loss_weight=head.loss_weight,
                    )
                )
        return tuple(found)

    # Lists of layers

    def layers(
        self,
        layers: Sequence[Layer],
        enters: Source,
        place: Place,
        *,
        top: bool = False,
        patched: bool = False,
    ) -> tuple[tuple[Draft, ...], Source]:
        """Expand a list of layers; a `patched` one is as its patches left it."""
        place = dataclasses.replace(place, frames=({}, *place.frames), depth=place.depth + 1)
        current, found = enters, []
        problems = self.problems
        for written in layers:
            pieces = [(written, place)] if patched else self.edits.layers(written, place)
            for layer, where in pieces:
                drafts = self.instances(layer, current, where, end_point=top)
                found += drafts
                if drafts:
                    current = drafts[-1]
        if not top and problems == self.problems:  # else what failed may have read them
            self.references.check_dead(found, current)
        return tuple(found), current

    def instances(
        self, layer: Layer, current: Source, place: Place, *, end_point: bool
    ) -> list[Draft]:
        """Expand one layer, as often as it is repeated, each feeding the next."""
        if position := self.sizes.over(layer, MAX_LAYERS - self.count):
            self.over_budget(position)
        if layer.repeat is None:
            draft = self.draft(layer, current, place, end_point=end_point)
            if draft is None:
                self.references.failed |= {layer.name.text} if layer.name else set()
                return []
            if draft.named:
                place.frames[0][draft.name] = draft
            return [draft]
        drafts: list[Draft] = []
        names = self.instance_names(layer, place)
        if layer.name:
            self.edits.missing.repeats[join(place.prefix, layer.name.text)] = layer.repeat.position
        for number, name in enumerate(names, 1):
            one = dataclasses.replace(
                layer,
                name=name,
                copy=number,
                repeat=None,
                expect=layer.expect if number == len(names) else None,
                sources=() if drafts else layer.sources,
            )
            for piece, where in self.edits.layers(one, place, instance=True):
                made = self.instances(piece, current, where, end_point=end_point)
                if not made:
                    self.references.failed |= {n.text for n in names if n}
                    return drafts
                drafts += made
                current = made[-1]
        return drafts

    def instance_names(self, layer: Layer, place: Place) -> list[Name | None]:
        if layer.repeat is None or layer.repeat.value is None:
            return [layer.name]
        if len(layer.sources) > 1:
            self.report.error(
                "E312", "a layer with several inputs cannot be repeated", layer.repeat.position
            )
            return [layer.name]
        if isinstance(layer.repeat.value, list):
            if layer.name:
                hint = "drop `name`, or write how often: `repeat: 3`"
                if layer.name.position.source != layer.repeat.position.source:
                    hint = "take away the one it has: `name: null` beside `repeat`"
                self.report.error(
                    "E209",
                    f"`repeat` with names gives the names, and this layer is `{layer.name}`",
                    layer.repeat.position,
                    rows=[Row(label="name", value=layer.name.text, position=layer.name.position)],
                    hint=hint,
                )
            return list(layer.repeat.value)
        count = self.scopes.structural(layer.repeat, place.scope)
        if isinstance(count, float) and count.is_integer():
            count = int(count)
        if type(count) is not int or count < 1:
            if count is not None:
                self.report.error(
                    "E409",
                    f"`repeat`: `{layer.repeat.value}`: expected a whole number of at least 1, "
                    f"got {fields.plain(count)}",
                    layer.repeat.position,
                )
            return []
        if self.count + count > MAX_LAYERS:
            self.over_budget(layer.repeat.position)
            return []
        if layer.name is None:
            return [None] * count
        if problem := name_problem(f"{layer.name}_{count}"):
            self.report.error("E206", f"of `{layer.name}_{count}`: {problem}", layer.name.position)
            return []
        return [Name(f"{layer.name}_{n}", layer.name.position) for n in range(1, count + 1)]

    def over_budget(self, position: Position, most: str = f"{MAX_LAYERS:,} layers") -> None:
        self.report.error("E304", f"more than {most}", position)
        self.report.raise_errors()

    # One layer

    def draft(
        self, layer: Layer, current: Source, place: Place, *, end_point: bool
    ) -> Draft | None:
        self.count += 1
        self.given += self.sizes.given(layer)
        if self.count > MAX_LAYERS:
            self.over_budget(layer.position)
        if self.given > MAX_GIVEN:
            most = f"{MAX_GIVEN:,} inputs, branches, parameters and defaults"
            self.over_budget(layer.position, most)
        name = layer.name.text if layer.name else ""
        path = join(place.prefix, name) if name else ""
        if name and layer.name:
            self.paths.register(path, layer.name.position)
        sources = self.references.sources(layer, current, place)
        if sources is None:
            return None
        self.references.read |= set(sources)
        if layer.key in BY_KEY:
            return self.op(layer, path, sources, place, end_point)
        return self.containers.draft(layer, path, sources, place, end_point, self)

    def op(
        self,
        layer: Layer,
        path: str,
        sources: tuple[Source, ...],
        place: Place,
        end_point: bool,
    ) -> Draft | None:
        op = BY_KEY[layer.key]
        defaults = self.scopes.merged(place.defaults, layer.defaults, place.scope)
        own = {k: self.scopes.bound(a, place.scope) for k, a in layer.attributes.items()}
        values = {
            k: b for k, b in {**defaults.get(op.key, {}), **own}.items() if b.value is not None
        }
        self.scopes.take(op.key, defaults, own, values["norm"].value if "norm" in values else None)
        if not place.blocks:
            self.scopes.note_bare(own.values())
        complete = self.requirements.check(op, layer, values)
        if not layer.name and op.weights is not Op.weights:
            needs_name(self.report, layer, "a layer with weights")
        if not layer.name and layer.end_point:
            needs_name(self.report, layer, "an end point")
        if not complete:
            return None
        return Draft(
            key=op.key,
            name=layer.name.text if layer.name else "",
            path=path or join(place.prefix, op.key),
            named=bool(layer.name),
            position=layer.position,
            sources=sources,
            source_positions=tuple(n.position for n in layer.sources),
            scope=place.scope,
            end_point=is_end_point(layer, end_point),
            expect=self.scopes.expectation(layer, place.scope),
            attributes=values,
            defaults=defaults,
            layer=layer,
            around=place.template.path,
        )

    # Last checks

    @property
    def problems(self) -> int:
        """Return how many there are so far, notes and layers that nothing reads aside."""
        errors = len(self.report.diagnostics) - self.noted - self.references.dead
        return errors + len(self.requirements.missing)


def _names(layers: Iterable[Draft]) -> dict[str, Draft]:
    return {d.name: d for d in layers if d.named}
