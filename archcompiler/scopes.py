"""Scopes: written values meet the parameters and defaults that stand around them."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import cast

from archcompiler.draft import Bound, BoundAttributes, BoundDefaults, DraftNorm, Scope
from archcompiler.errors import Report, Row, did_you_mean
from archcompiler.evaluate import NeedsShapes, Unknown, evaluate
from archcompiler.expression import Expression, ExpressionError
from archcompiler.habits import spaced
from archcompiler.ops.unit import NORMS
from archcompiler.position import Position
from archcompiler.spec import Attribute, Attributes, Defaults, Layer, Spec, WrittenNorm, removed


@dataclass(slots=True)
class Scopes:
    """Ties written values to scopes; knows where each parameter is read."""

    spec: Spec
    report: Report
    references: dict[str, set[Position]] = field(default_factory=dict)
    bare: dict[str, set[Position]] = field(default_factory=dict)
    read: dict[Scope, set[str]] = field(default_factory=dict)
    """By scope, the names that its expressions read."""
    defaults: dict[Position, tuple[str, str, Position]] = field(default_factory=dict)
    """By the place of a default of an inner scope: its op, its name, and the place of the first."""
    defaulted: set[Position] = field(default_factory=set)
    """The defaults of blocks' parameters that instances take."""
    nearer: dict[Position, Position] = field(default_factory=dict)
    """By the place of a default, one that says the same from nearer by: a default, or a layer."""
    _taken: dict[int, Bound] = field(default_factory=dict)

    def bound(
        self, attribute: Attribute, scope: Scope, known: Collection[str] | None = None
    ) -> Bound:
        """Tie a written value to the scope that evaluates it; unknown names are errors."""
        value = attribute.value
        if isinstance(value, WrittenNorm):
            own = {k: self.bound(a, scope, known) for k, a in value.attributes.items()}
            return Bound(DraftNorm(value.key, own), attribute.position, scope)
        names = known if known is not None else scope.params
        for part in expressions(value):
            self.read.setdefault(scope, set()).update(part.names)
            for name in part.names:
                self.references.setdefault(name, set()).add(part.position)
                if name != "in_channels" and name not in names:
                    self.report.error(
                        "E308",
                        f"`${part.text}` reads `{name}`, which is no parameter here",
                        part.position,
                        rows=removed(self.spec, f"params/{name}"),
                        hint=did_you_mean(name, (*names, "in_channels"))
                        or self._where_known(name, {*names}),
                    )
        return Bound(value, attribute.position, scope)

    def expectation(self, layer: Layer, scope: Scope) -> Bound | None:
        """Tie an expectation to its scope; reading a parameter here fixes nothing.

        It binds only the file that wrote it: a variant does not inherit it.
        """
        expect = layer.expect
        if expect is None or expect.position.source in self.spec.bases:
            return None
        references, self.references = self.references, {}
        bound = self.bound(expect, scope)
        self.references = references
        return bound

    def free_params(self) -> tuple[str, ...]:
        """Return the parameters of the spec that no structure, default or block depends on."""
        return tuple(
            name
            for name in self.spec.params
            if name in self.bare and self.bare[name] == self.references[name]
        )

    def _where_known(self, name: str, here: set[str]) -> str:
        blocks = [b.name.text for b in self.spec.blocks.values() if name in b.params]
        if blocks:
            return f"it is a parameter of the block `{blocks[0]}`, and known only inside"
        if here:
            return f"the parameters here are {', '.join(sorted(here))}"
        return f"add it to the spec: `params: {{{name}: ...}}`"

    def merged(self, outer: BoundDefaults, inner: Defaults, scope: Scope) -> BoundDefaults:
        """Return the defaults with the nearer scope's on top, attribute by attribute."""
        if not inner:
            return outer
        result = dict(outer)
        for op, own in inner.items():
            bound = {k: self.bound(a, scope) for k, a in own.items()}
            self._hide(outer.get(op, {}), bound)
            result[op] = result.get(op, {}) | bound
            if bound and scope.enters:  # those at the top of a spec are its style
                first = next(iter(bound.values())).position
                said = ((k, b) for k, b in bound.items() if b.value is not None)
                self.defaults |= {b.position: (op, k, first) for k, b in said}
        return result

    def take(
        self, op: str, defaults: BoundDefaults, own: BoundAttributes, norm: object = None
    ) -> None:
        """Note what a layer of an op, with attributes of its `own` and this norm, takes."""
        norms = NORMS if isinstance(norm, Expression) else [getattr(norm, "key", norm)]
        for key in (op, *norms):
            said = own if key == op else getattr(norm, "attributes", {})
            self._hide(defaults.get(str(key), {}), said)
            for name, bound in defaults.get(str(key), {}).items():
                if name not in said:
                    self._taken[id(bound)] = bound  # and so it lives: nothing else has its id

    def _hide(self, outer: BoundAttributes, inner: BoundAttributes) -> None:
        """Note which of the outer values the inner ones hide."""
        for name in outer.keys() & inner.keys():
            self.nearer.setdefault(outer[name].position, inner[name].position)

    def idle(self) -> Iterator[tuple[str, dict[str, Position]]]:
        """Yield, by op, the defaults that no layer takes: none is there, or it says otherwise.

        What a base wrote may be idle.
        """
        taken = {bound.position for bound in self._taken.values()}
        found: dict[tuple[str, Position], dict[str, Position]] = {}
        for position, (op, name, first) in self.defaults.items():
            if position not in taken and position.source not in self.spec.bases:
                found.setdefault((op, first), {})[name] = position
        for (op, _), names in found.items():
            yield op, names

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
        except Unknown:
            pass
        return None

    def arguments(
        self, layer: Layer, caller: Scope, scope: Scope, params: Attributes
    ) -> BoundAttributes | None:
        """Pair a block's parameters with what the instance gives, or with their defaults."""
        assert layer.block is not None
        complete = True
        meant = {name.partition(":")[0] for name in layer.arguments if name not in params}
        for name, attribute in layer.arguments.items():
            if name not in params:
                self.report.error(
                    "E307",
                    f"the block `{layer.block}` has no parameter `{name}`",
                    attribute.position,
                    hint=spaced(name, params)
                    or did_you_mean(name, params)
                    or self._superfluous(name, params, attribute.position, scope),
                )
        found: BoundAttributes = {}
        for name, default in params.items():
            if name in self.spec.params:
                self._report_shadow(name, layer, default.position)
            given = layer.arguments.get(name)
            if given is not None and given.value is not None:
                found[name] = self.bound(given, caller)
            elif default.value is not None:
                known = cast(Collection[str], ChainMap(params, self.spec.params))
                found[name] = self.bound(default, scope, known)
                self.defaulted.add(default.position)
            else:
                complete = False
                if name in meant:
                    continue
                self.report.error(
                    "E307",
                    f"the block `{layer.block}` needs `{name}`",
                    layer.position,
                    hint=f"add `{name}: ...` to its `with`"
                    if layer.arguments
                    else f"add `with: {{{name}: ...}}`",
                )
        return found if complete else None

    def _superfluous(self, name: str, params: Attributes, position: Position, scope: Scope) -> str:
        """Say what to do about an argument that its block does not take."""
        if position.source in self.spec.bases and scope.enters:
            path = scope.enters.owner
            return f"take it away: `{{set: {path}, with: {{{name}: null}}}}`"
        return f"it has {', '.join(params)}" if params else "it has none: drop it"

    def _report_shadow(self, name: str, layer: Layer, position: Position) -> None:
        """Report a parameter that a block and the spec have, where the later of them is written."""
        at = self.spec.params[name][1]
        if position.source in self.spec.bases and at.source not in self.spec.bases:
            self.report.error(
                "E315",
                f"`{name}` is a parameter of the block `{layer.block}` already",
                at,
                rows=[Row(label="block", position=position)],
                hint=f"rename it, or say it of a use: `with: {{{name}: ...}}`",
            )
            return
        self.report.error(
            "E315",
            f"`{name}` is a parameter of the spec already",
            position,
            rows=[Row(label="spec", position=at)],
            hint="a block reads the spec's parameters anyway; drop it, or rename it",
        )

    def circular(self, arguments: BoundAttributes, scope: Scope) -> bool:
        """Report parameters of a block whose defaults read each other in a circle."""
        reads = {
            name: [n for part in expressions(b.value) for n in part.names if n in arguments]
            for name, b in arguments.items()
            if b.scope is scope
        }
        circle = _circle(reads)
        if circle:
            self.report.error(
                "E401",
                f"`{circle[0]}` depends on itself: {' > '.join(circle)}",
                arguments[circle[0]].position,
            )
        return circle is not None

    def of_spec(self, scope: Scope) -> MutableMapping[str, Bound]:
        """Return the parameters of the spec, as a scope sees them: all instances share them."""
        return scope.params.maps[-1] if isinstance(scope.params, ChainMap) else scope.params

    def note_bare(self, values: Iterable[Bound]) -> None:
        """Remember parameters that stand alone as attributes of a layer outside blocks."""
        for bound in values:
            if bound.parameter:
                self.bare.setdefault(bound.parameter, set()).add(bound.position)


def _circle(reads: dict[str, list[str]]) -> list[str] | None:
    """Return names that read each other in a circle, from the first that is written."""
    try:
        TopologicalSorter(reads).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1][:0:-1]  # each is read by the next
        start = circle.index(next(name for name in reads if name in circle))
        return [*circle[start:], *circle[: start + 1]]
    return None


def expressions(value: object) -> Iterable[Expression]:
    """Yield every expression in a written value."""
    if isinstance(value, Expression):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from expressions(part)
    elif isinstance(value, list):
        for part in value:
            yield from expressions(part)
