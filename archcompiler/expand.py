"""Room 3, expand: a `Spec` to a graph without shapes.

Blocks are instantiated, repeats unrolled, references resolved to the objects they mean, defaults
merged. Attributes may stay expressions; structure never waits for a shape.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from archcompiler import fields, overrides
from archcompiler.draft import (
    Bound,
    BoundAttributes,
    BoundDefaults,
    Draft,
    DraftGraph,
    DraftHead,
    DraftNetwork,
    DraftNorm,
    Port,
    Scope,
    Source,
)
from archcompiler.errors import Report, Row, did_you_mean
from archcompiler.evaluate import NeedsShapes, evaluate
from archcompiler.expression import Expression, ExpressionError
from archcompiler.op import Op, required
from archcompiler.ops import BY_KEY
from archcompiler.overrides import Assignment
from archcompiler.position import Position
from archcompiler.spec import Attribute, Attributes, Defaults, Head, Layer, Name, Spec, WrittenNorm
from archcompiler.unit import Unit

MAX_LAYERS = 100_000

Frames = tuple[dict[str, Draft], ...]
"""What a layer may refer to: its own list's earlier layers, then the enclosing lists'."""


def expand(spec: Spec, assignments: Sequence[Assignment] = ()) -> DraftNetwork:
    """Expand a spec. Raises `ArchcError` with all errors E301 to E317 found."""
    report = Report()
    network = _Expander(overrides.apply(spec, assignments, report), assignments, report).network()
    report.raise_errors()
    return network


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a layer stands: its path prefix, its template's, what it may see."""

    prefix: str
    template: str
    scope: Scope
    defaults: BoundDefaults
    frames: Frames
    blocks: tuple[str, ...] = ()

    def inside(self, name: str) -> _Place:
        """Return the place one named container further in."""
        template = f"{self.template}/{name}" if self.template else ""
        return dataclasses.replace(self, prefix=_join(self.prefix, name), template=template)


@dataclass(slots=True)
class _Expander:
    spec: Spec
    assignments: Sequence[Assignment]
    report: Report
    paths: dict[str, Position] = field(default_factory=dict)
    display: dict[str, int] = field(default_factory=dict)
    read: set[Source] = field(default_factory=set)
    used_blocks: set[str] = field(default_factory=set)
    used_assignments: set[int] = field(default_factory=set)
    count: int = 0
    references: dict[str, set[Position]] = field(default_factory=dict)
    bare: dict[str, set[Position]] = field(default_factory=dict)
    by_path: dict[str, list[int]] = field(default_factory=dict)
    written_names: set[str] = field(default_factory=set)

    def network(self) -> DraftNetwork:
        spec = self.spec
        for index, assignment in enumerate(self.assignments):
            if assignment.path:
                self.by_path.setdefault(assignment.path, []).append(index)
        self.written_names = {n.lower() for n in _written_names(spec)}
        params: BoundAttributes = {}
        top = Scope(params, None)
        params |= {k: Bound(v, at, top) for k, (v, at) in spec.params.items()}
        defaults = self.merged({}, spec.defaults, top)
        port = Port(spec.name.text)
        stem = self.section(spec.stem, "stem", top, defaults, port, ())
        stem_names = _names(stem.layers)
        body = self.section(spec.body, "body", top, defaults, stem.output, (stem_names,))
        known = {**stem_names, **_names(body.layers)}
        heads = self.heads(spec.heads, top, defaults, body.output, known)
        self.check_unused(heads)
        self.check_dead((*stem.layers, *body.layers), body.output)
        return DraftNetwork(
            name=spec.name.text,
            summary=spec.summary,
            input=spec.input,
            port=port,
            params=params,
            free_params=self.free_params(),
            stem=stem,
            body=body,
            heads=heads,
            output=self.output(heads),
            expectations_bind=not self.assignments,
            position=spec.position,
        )

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
        layer = self.overridden(layer, name, "")
        port = enters if isinstance(enters, Port) else Port(name)
        scope = Scope(top.params, port)
        place = _Place(
            prefix="",
            template="",
            scope=scope,
            defaults=self.merged(defaults, layer.defaults, scope),
            frames=outer,
        )
        self.read.add(enters)
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
        frame = dict(known)
        found = []
        for head in heads:
            layer = dataclasses.replace(head.layer, name=head.name)
            port = Port(head.name.text)
            scope = Scope(top.params, port)
            for name in layer.sources:
                if name.text == "input":
                    self.report.error(
                        "E302",
                        "`input` is what enters the head, so it cannot say what enters it",
                        name.position,
                        hint="name a layer, or drop `from` to read the end of the body",
                    )
            place = _Place(prefix="", template="", scope=scope, defaults=defaults, frames=(frame,))
            drafts = self.instances(layer, trunk, place, end_point=True)
            if drafts:
                frame[head.name.text] = drafts[-1]
                self.read |= set(drafts)
                found.append(
                    DraftHead(
                        layer=drafts[-1],
                        port=port,
                        training_only=head.training_only,
                        loss_weight=head.loss_weight,
                    )
                )
        return tuple(found)

    def output(self, heads: tuple[DraftHead, ...]) -> str:
        evaluated = [h.layer.name for h in heads if not h.training_only]
        wanted = self.spec.output
        if wanted is None:
            if len(evaluated) != 1 and heads:
                self.report.error(
                    "E313",
                    f"which of the heads {', '.join(evaluated) or 'is the output'}?",
                    self.spec.position,
                    hint="say it at the top: `output: Logits`",
                )
            return evaluated[0] if evaluated else ""
        if wanted.text not in evaluated:
            training = [h.layer.name for h in heads if h.training_only]
            reason = "is training-only" if wanted.text in training else "is no head"
            self.report.error(
                "E313",
                f"the output `{wanted}` {reason}",
                wanted.position,
                hint=did_you_mean(wanted.text, evaluated),
            )
        return wanted.text

    # Lists of layers

    def layers(
        self, layers: Iterable[Layer], enters: Source, place: _Place, *, top: bool = False
    ) -> tuple[tuple[Draft, ...], Source]:
        frame: dict[str, Draft] = {}
        place = dataclasses.replace(place, frames=(frame, *place.frames))
        current, found = enters, []
        for layer in layers:
            drafts = self.instances(layer, current, place, end_point=top)
            found += drafts
            if drafts:
                current = drafts[-1]
                frame |= {d.name: d for d in drafts if d.named}
        if not top:
            self.check_dead(found, current)
        return tuple(found), current

    def instances(
        self, layer: Layer, current: Source, place: _Place, *, end_point: bool
    ) -> list[Draft]:
        """Expand one layer, as often as it is repeated, each feeding the next."""
        drafts: list[Draft] = []
        names = self.instance_names(layer, place)
        for number, name in enumerate(names, 1):
            last = number == len(names)
            one = dataclasses.replace(
                layer,
                name=name,
                repeat=None,
                expect=layer.expect if last else None,
                sources=layer.sources if number == 1 else (),
            )
            draft = self.draft(one, current, place, end_point=end_point)
            if draft is None:
                break
            drafts.append(draft)
            current = draft
        return drafts

    def instance_names(self, layer: Layer, place: _Place) -> list[Name | None]:
        if layer.repeat is None:
            return [layer.name]
        if len(layer.sources) > 1:
            self.report.error(
                "E312", "a layer with several inputs cannot be repeated", layer.repeat.position
            )
        if isinstance(layer.repeat.value, list):
            if layer.name:
                self.report.error(
                    "E209", "`repeat` with names gives the names", layer.name.position
                )
            return list(layer.repeat.value)
        count = self.structural(layer.repeat, place.scope)
        if type(count) is not int or count < 1:
            if count is not None:
                self.report.error(
                    "E204",
                    f"`repeat`: expected a whole number of at least 1, got {fields.plain(count)}",
                    layer.repeat.position,
                )
            return []
        if self.count + count > MAX_LAYERS:
            self.over_budget(layer.repeat.position)
            return []
        if layer.name is None:
            return [None] * count
        return [Name(f"{layer.name}_{n}", layer.name.position) for n in range(1, count + 1)]

    def structural(self, attribute: Attribute, scope: Scope) -> object:
        """Evaluate what the structure depends on; it cannot read `in_channels`."""
        bound = self.bound(attribute, scope)
        try:
            return evaluate(bound.value, bound.scope, None)
        except NeedsShapes:
            self.report.error(
                "E311",
                "structure cannot depend on `in_channels`",
                attribute.position,
                hint="use a parameter instead",
            )
        except ExpressionError as error:
            self.report.error("E401", f"`{bound.value}` has no value: {error}", attribute.position)
        return None

    def over_budget(self, position: Position) -> None:
        self.report.error("E304", f"more than {MAX_LAYERS:,} layers", position)
        self.report.raise_errors()

    # One layer

    def draft(
        self, layer: Layer, current: Source, place: _Place, *, end_point: bool
    ) -> Draft | None:
        self.count += 1
        if self.count > MAX_LAYERS:
            self.over_budget(layer.position)
        name = layer.name.text if layer.name else ""
        path = _join(place.prefix, name) if name else ""
        template = _join(place.template, name) if name and place.template else ""
        layer = self.overridden(layer, path, template)
        if name and layer.name:
            self.register(path, layer.name.position)
        sources = self.sources(layer, current, place)
        if sources is None:
            return None
        self.read |= set(sources)
        if layer.key in BY_KEY:
            return self.op(layer, path, sources, place, end_point)
        return self.container(layer, path, sources, place, end_point)

    def overridden(self, layer: Layer, path: str, template: str) -> Layer:
        """Apply the command line: to the template first, then to the instance."""
        if not self.by_path:
            return layer
        for target in (template, path):
            for index in self.by_path.get(target, ()) if target else ():
                self.used_assignments.add(index)
                layer = overrides.change(layer, self.assignments[index], self.report)
        return layer

    def register(self, path: str, position: Position) -> None:
        first = self.paths.setdefault(path.lower(), position)
        if first is not position:
            self.report.error(
                "E305",
                f"`{path}` is the name of another layer",
                position,
                rows=[Row(label="first", position=first)],
                hint="names are unique in their list, ignoring case",
            )

    def sources(self, layer: Layer, current: Source, place: _Place) -> tuple[Source, ...] | None:
        several = layer.key in BY_KEY and BY_KEY[layer.key].several_inputs
        if not layer.sources:
            if several:
                self.report.error(
                    "E312",
                    f"`{layer.key}` needs `from:` with at least two names",
                    layer.position,
                    hint=f"write {{{layer.key}, from: [input, a], name: b}}",
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
                "E312", f"`{layer.key}` needs at least two inputs", layer.sources[0].position
            )
            return None
        found = [self.resolve(source, place) for source in layer.sources]
        return tuple(s for s in found if s) if all(found) else None

    def resolve(self, name: Name, place: _Place) -> Source | None:
        if name.text == "input":
            return place.scope.enters
        for frame in place.frames:
            if name.text in frame:
                return frame[name.text]
        known = [n for frame in place.frames for n in frame]
        hint = did_you_mean(name.text, (*known, "input"))
        if name.text.lower() in self.written_names and hint != f"did you mean `{name}`?":
            hint = (
                "it stands later, or inside another branch, container or block: "
                "a reference sees earlier layers of its own list and of the lists around it"
            )
        self.report.error("E302", f"`{name}` is no earlier layer here", name.position, hint=hint)
        return None

    def op(
        self,
        layer: Layer,
        path: str,
        sources: tuple[Source, ...],
        place: _Place,
        end_point: bool,
    ) -> Draft | None:
        op = BY_KEY[layer.key]
        defaults = self.merged(place.defaults, layer.defaults, place.scope)
        own = {k: self.bound(a, place.scope) for k, a in layer.attributes.items()}
        values = {
            k: b for k, b in {**defaults.get(op.key, {}), **own}.items() if b.value is not None
        }
        if not place.blocks:
            for bound in own.values():
                if bound.parameter:
                    self.bare.setdefault(bound.parameter, set()).add(bound.position)
        complete = self.check_required(op, layer, values)
        if not layer.name and (issubclass(op, Unit) or op.key == "batch_norm"):
            self.needs_name(layer, "a layer with weights")
        if not layer.name and layer.end_point:
            self.needs_name(layer, "an end point")
        if not complete:
            return None
        return Draft(
            key=op.key,
            name=layer.name.text if layer.name else "",
            path=path or self.display_path(place.prefix, op.key),
            named=bool(layer.name),
            position=layer.position,
            sources=sources,
            source_positions=tuple(n.position for n in layer.sources),
            scope=place.scope,
            end_point=_is_end_point(layer, end_point),
            expect=self.expectation(layer, place.scope),
            attributes=values,
            defaults=defaults,
        )

    def check_required(self, op: type[Op], layer: Layer, values: BoundAttributes) -> bool:
        missing = [name for name in required(op) if name not in values]
        for name in missing:
            if name == op.main:
                message = f"`{op.key}` needs its {name}"
                hint = f"write the value behind the op: {{{op.key}: 3}}"
            else:
                message = f"`{op.key}` needs `{name}`"
                example = _EXAMPLES.get(name, "...")
                hint = (
                    f"add `{name}: {example}` here, or say it once: "
                    f"`defaults: {{{op.key}: {{{name}: {example}}}}}`"
                )
            self.report.error("E309", message, layer.position, hint=hint)
        return not missing

    def needs_name(self, layer: Layer, what: str) -> None:
        self.report.error(
            "E306",
            f"{what} needs a name",
            layer.position,
            hint=f"add `name: {layer.key.title().replace('_', '')}_1`",
        )

    def display_path(self, prefix: str, word: str) -> str:
        """Give an unnamed layer a name to show: its op, numbered where there are several."""
        number = 1
        while True:
            shown = word if number == 1 else f"{word}_{number}"
            path = _join(prefix, shown)
            if path not in self.display and shown.lower() not in self.written_names:
                self.display[path] = 1
                return path
            number = self.display[path] = max(self.display.get(path, 1), number) + 1

    # Containers

    def container(
        self,
        layer: Layer,
        path: str,
        sources: tuple[Source, ...],
        place: _Place,
        end_point: bool,
    ) -> Draft | None:
        inner = place.inside(layer.name.text) if layer.name else place
        inner = dataclasses.replace(
            inner, defaults=self.merged(place.defaults, layer.defaults, place.scope)
        )
        graphs: tuple[DraftGraph, ...] | None
        arguments: BoundAttributes = {}
        if layer.key == "block":
            made = self.block(layer, path, inner)
            graphs = (made[0],) if made else None
            arguments = made[1] if made else {}
        elif layer.key == "layers":
            transparent = end_point and not layer.name and layer.end_point is None
            graphs = (self.group(layer, path or "layers", inner, top=transparent),)
        else:
            graphs = self.fork(layer, inner)
        if graphs is None:
            return None
        if not layer.name and layer.end_point:
            self.needs_name(layer, "an end point")
        word = layer.join if layer.key == "branches" else layer.key
        split = {k: self.bound(a, place.scope) for k, a in (layer.split or {}).items()}
        return Draft(
            key=layer.key,
            name=layer.name.text if layer.name else "",
            path=path or self.display_path(place.prefix, word),
            named=bool(layer.name),
            position=layer.position,
            sources=sources,
            source_positions=tuple(n.position for n in layer.sources),
            scope=place.scope,
            end_point=_is_end_point(layer, end_point),
            expect=self.expectation(layer, place.scope),
            graphs=graphs,
            join=layer.join,
            split=split if layer.split is not None else None,
            template=layer.block.text if layer.block else "",
            arguments=arguments,
        )

    def group(self, layer: Layer, name: str, place: _Place, *, top: bool = False) -> DraftGraph:
        port = Port(name)
        layers, output = self.layers(layer.layers, port, place, top=top)
        if top:
            self.check_dead(layers, output)
        return DraftGraph(name="", port=port, layers=layers, output=output)

    def fork(self, layer: Layer, place: _Place) -> tuple[DraftGraph, ...] | None:
        if layer.split is not None:
            self.check_split(layer)
        graphs = []
        for branch in layer.branches:
            port = Port(branch.name.text)
            if branch.single:
                written = tuple(dataclasses.replace(b, name=branch.name) for b in branch.layers)
                inside = place
            else:
                written, inside = branch.layers, place.inside(branch.name.text)
                self.register(inside.prefix, branch.name.position)
            layers, output = self.layers(written, port, inside)
            graphs.append(
                DraftGraph(
                    name=branch.name.text,
                    port=port,
                    layers=layers,
                    output=output,
                    single=branch.single,
                )
            )
        if len(layer.branches) < 2:
            self.report.error("E312", "a fork needs at least two branches", layer.position)
            return None
        return tuple(graphs)

    def check_split(self, layer: Layer) -> None:
        assert layer.split is not None
        known = {b.name.text: b for b in layer.branches}
        for name, attribute in layer.split.items():
            if name not in known:
                self.report.error(
                    "E302",
                    f"`split` names `{name}`, which is no branch",
                    attribute.position,
                    hint=did_you_mean(name, known),
                )
        for name, branch in known.items():
            if name not in layer.split:
                self.report.error(
                    "E309", f"`split` leaves out the branch `{name}`", branch.name.position
                )

    def block(
        self, layer: Layer, path: str, place: _Place
    ) -> tuple[DraftGraph, BoundAttributes] | None:
        assert layer.block is not None
        name = layer.block.text
        if layer.name is None:
            self.needs_name(layer, "a block instance")
            return None
        block = self.spec.blocks.get(name)
        if block is None:
            self.report.error(
                "E301",
                f"there is no block `{name}`",
                layer.block.position,
                hint=did_you_mean(name, self.spec.blocks)
                or f"the blocks are {', '.join(self.spec.blocks) or 'none'}",
            )
            return None
        self.used_blocks.add(name)
        if name in place.blocks:
            chain = " > ".join((*place.blocks[place.blocks.index(name) :], name))
            self.report.error("E303", f"a block contains itself: {chain}", layer.block.position)
            return None
        # What enters the block is known by this port; `in_channels` inside means its channels.
        scope = Scope({}, Port(path))
        arguments = self.arguments(layer, place.scope, scope, block.params)
        if arguments is None:
            return None
        scope.params.update(self.spec_scope(place.scope) | arguments)
        inside = _Place(
            prefix=place.prefix,
            template=f"blocks/{name}",
            scope=scope,
            defaults=place.defaults,
            frames=(),
            blocks=(*place.blocks, name),
        )
        written = self.overridden(block.layer, "", f"blocks/{name}")
        inside = dataclasses.replace(
            inside, defaults=self.merged(inside.defaults, written.defaults, scope)
        )
        port = scope.enters
        assert port is not None
        written = dataclasses.replace(written, defaults={}, name=None)
        if written.key == "layers":
            layers, output = self.layers(written.layers, port, inside)
        else:
            layers, output = self.layers((written,), port, inside)
        return DraftGraph(name="", port=port, layers=layers, output=output), arguments

    def spec_scope(self, scope: Scope) -> BoundAttributes:
        return {k: b for k, b in scope.params.items() if k in self.spec.params}

    def arguments(
        self, layer: Layer, caller: Scope, scope: Scope, params: Attributes
    ) -> BoundAttributes | None:
        """Pair a block's parameters with what the instance gives, or with their defaults."""
        assert layer.block is not None
        complete = True
        for name, attribute in layer.arguments.items():
            if name not in params:
                self.report.error(
                    "E307",
                    f"the block `{layer.block}` has no parameter `{name}`",
                    attribute.position,
                    hint=did_you_mean(name, params)
                    or f"its parameters are {', '.join(params) or 'none'}",
                )
        found: BoundAttributes = {}
        for name, default in params.items():
            if name in self.spec.params:
                self.report.error(
                    "E315",
                    f"`{name}` is a parameter of the spec already",
                    default.position,
                    rows=[Row(label="spec", position=self.spec.params[name][1])],
                )
            given = layer.arguments.get(name)
            if given is not None and given.value is not None:
                found[name] = self.bound(given, caller)
            elif default.value is not None:
                known = {*params, *self.spec.params}
                found[name] = self.bound(default, scope, known)
            else:
                complete = False
                self.report.error(
                    "E307",
                    f"the block `{layer.block}` needs `{name}`",
                    layer.position,
                    hint=f"add `with: {{{name}: ...}}`",
                )
        return found if complete else None

    # Values

    def bound(self, attribute: Attribute, scope: Scope, known: set[str] | None = None) -> Bound:
        """Tie a written value to the scope that evaluates it; unknown names are errors."""
        value = attribute.value
        if isinstance(value, WrittenNorm):
            own = {k: self.bound(a, scope, known) for k, a in value.attributes.items()}
            return Bound(DraftNorm(value.key, own), attribute.position, scope)
        names = known if known is not None else set(scope.params)
        for part in _expressions(value):
            for name in part.names:
                self.references.setdefault(name, set()).add(part.position)
                if name != "in_channels" and name not in names:
                    self.report.error(
                        "E308",
                        f"`${part.text}` reads `{name}`, which is no parameter here",
                        part.position,
                        hint=did_you_mean(name, (*names, "in_channels")),
                    )
        return Bound(value, attribute.position, scope)

    def expectation(self, layer: Layer, scope: Scope) -> Bound | None:
        """Tie an expectation to its scope; reading a parameter here fixes nothing."""
        if layer.expect is None:
            return None
        references, self.references = self.references, {}
        bound = self.bound(layer.expect, scope)
        self.references = references
        return bound

    def free_params(self) -> tuple[str, ...]:
        """Return the parameters of the spec that no structure, default or block depends on."""
        return tuple(
            name
            for name in self.spec.params
            if name in self.bare and self.bare[name] == self.references[name]
        )

    def merged(self, outer: BoundDefaults, inner: Defaults, scope: Scope) -> BoundDefaults:
        """Return the defaults with the nearer scope's on top, attribute by attribute."""
        if not inner:
            return outer
        result = dict(outer)
        for op, own in inner.items():
            bound = {k: self.bound(a, scope) for k, a in own.items()}
            result[op] = result.get(op, {}) | bound
        return result

    # Last checks

    def check_unused(self, heads: tuple[DraftHead, ...]) -> None:
        for index, assignment in enumerate(self.assignments):
            if assignment.path and index not in self.used_assignments:
                self.report.error(
                    "E310",
                    f"there is no layer `{assignment.path}`",
                    assignment.position,
                    hint=did_you_mean(assignment.path, _known_paths(self.paths)),
                )
        if any(d.severity == "error" for d in self.report.diagnostics):
            return  # what failed to expand may use them
        for name, block in self.spec.blocks.items():
            if name not in self.used_blocks:
                self.report.error(
                    "E316",
                    f"no layer uses the block `{name}`",
                    block.name.position,
                    hint="remove it, or move it under `x-unused:`",
                )

    def check_dead(self, layers: Sequence[Draft], output: Source) -> None:
        for draft in layers:
            if draft is not output and draft not in self.read and not draft.end_point:
                self.report.error(
                    "E317",
                    f"nothing reads `{draft.path}`",
                    draft.position,
                    hint="refer to it with `from:`, or make it an `end_point: true`",
                )


_EXAMPLES = {
    "padding": "same", "stride": "2", "kernel": "3", "epsilon": "1e-3", "decay": "0.99",
    "gamma": "true", "alpha": "1e-4", "beta": "0.75", "k": "1.0",
}  # fmt: skip


def _join(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name


def _names(layers: Iterable[Draft]) -> dict[str, Draft]:
    return {d.name: d for d in layers if d.named}


def _is_end_point(layer: Layer, by_default: bool) -> bool:
    return bool(layer.name) and (by_default if layer.end_point is None else layer.end_point)


def _expressions(value: object) -> Iterable[Expression]:
    if isinstance(value, Expression):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _expressions(part)
    elif isinstance(value, list):
        for part in value:
            yield from _expressions(part)


def _known_paths(paths: dict[str, Position]) -> list[str]:
    return list(paths)


def _written_names(spec: Spec) -> Iterable[str]:
    yield from (h.name.text for h in spec.heads)
    layers = [spec.stem, spec.body, *(h.layer for h in spec.heads)]
    layers += [b.layer for b in spec.blocks.values()]
    while layers:
        layer = layers.pop()
        if layer.name:
            yield layer.name.text
        if layer.repeat and isinstance(layer.repeat.value, list):
            yield from (n.text for n in layer.repeat.value)
        for branch in layer.branches:
            yield branch.name.text
            layers += branch.layers
        layers += layer.layers
