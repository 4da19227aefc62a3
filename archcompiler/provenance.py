"""Where the values of a layer come from: the layer, a default, a patch, the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

from archcompiler import history
from archcompiler.addresses import Addresses
from archcompiler.diagnostics import WIDTH, show
from archcompiler.draft import Bound, Draft, DraftNetwork, DraftNorm
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, nearest
from archcompiler.expression import Expression
from archcompiler.fields import shape_text, write, yaml_text
from archcompiler.ir import Fork, Head, Network, Node
from archcompiler.op import Op, attributes, write_attributes
from archcompiler.ops import BY_KEY
from archcompiler.ops.unit import NORMS
from archcompiler.overview import Overview, hint, source_text
from archcompiler.rewrite import positions
from archcompiler.rows import Line, table
from archcompiler.source import Entry, Mapping
from archcompiler.spec import CONTENT, Attribute, Spec, WrittenNorm

Said = Attribute | Bound
Back = tuple[Said, str, Said | None]
"""A null, whether a default or a layer says it, and the default that it takes back."""

_DEFAULT = "param default"
_MOST_NAMED = 6
"""So many names of what there is are listed in an error."""
MAX_READINGS = 20
"""So many parameters that expressions read in turn are shown."""


@dataclass(slots=True)
class Provenance:
    """What explains the layers and parameters of one network."""

    draft: DraftNetwork
    network: Network
    spec: Spec
    typed: str
    """How a command line calls the spec."""
    room: int = WIDTH
    places: Addresses = field(init=False)
    overview: Overview = field(init=False)

    def __post_init__(self) -> None:
        self.places = Addresses(self.spec, self.draft)
        files = (p for p in self.spec.patches if not p.by_command_line)
        patched = {position for patch in files for position in positions(patch)}
        self.overview = Overview(self.places, self.network, patched, self.room)

    def explain(self, path: str) -> str:
        """Tell about the layer at a path, or the parameter of that name. Raises E703."""
        nodes = {node.path: node for node in self.network.walk()}
        if path in nodes:
            return "\n".join(self._layer(nodes[path], self.places.layers[path]))
        if path in self.draft.params or path == "params":
            what = "the parameters" if path == "params" else "parameter"
            params = self.draft.params if path == "params" else {path: self.draft.params[path]}
            lines = [self._line(k, self.network.params[k], b, "spec") for k, b in params.items()]
            return "\n".join(
                [f"{path}  {what} of {self.network.name}", "", *table(lines, self.room)]
            )
        if path == "defaults":
            lines = [
                Line(f"{op}.{name}", _default(op, name, a), "", "spec", a.position)
                for op, own in self.draft.written.defaults.items()
                for name, a in own.items()
            ]
            return "\n".join(
                [f"{path}  of all of {self.network.name}", "", *table(lines, self.room)]
            )
        if found := self.overview.lines(path):
            at = self.spec.input_position if path == "input" else None
            changed = [c for c in self.network.changes if c.startswith("input=")]
            place = "said on the command line" if changed else f"written at {at}"
            return "\n".join([*found, place] if path == "input" else found)
        message = f"`{show(path)}` is no layer and no parameter of {self.network.name}"
        raise ArchcError(
            Diagnostic(code="E703", message=message, hint=self._near(path, [*nodes])),
            exit_code=USAGE_OR_ENVIRONMENT,
        )

    def _near(self, path: str, nodes: list[str]) -> str:
        """Return a hint: a layer of that name, or what the deepest part that there is holds."""
        if loss := self.places.loss(path):
            return hint(loss, path)
        first, _, rest = path.partition("/")
        if first in ("stem", "body", "heads") and rest in nodes:
            return f"did you mean `{rest}`?"
        if copy := self.places.in_copy(path):
            return f"did you mean `{copy}`?"
        inner = [n for n in nodes if n.lower().endswith(f"/{path.lower()}")]
        if inner:
            return f"did you mean `{inner[0]}`?"
        brought = self.places.uses if path.startswith("blocks/") else ()
        known = dict.fromkeys([*self.places.written, *brought, *nodes])
        known.pop(path, None)
        around = path.rpartition("/")[0]
        while around and not any(n.startswith(f"{around}/") for n in known):
            around = around.rpartition("/")[0]
        start = f"{around}/" if around else ""
        below = (n[len(start) :].partition("/")[0] for n in known if n.startswith(start))
        names = [*dict.fromkeys(below), *([] if around else self.draft.params)]
        if near := nearest(path[len(start) :].partition("/")[0], names):
            return f"did you mean `{start}{near}`?"
        if around:
            there = (name for name in names if not self.places.loss(start + name))
            names = [*islice(there, _MOST_NAMED + 1)]
            more = ", ..." if len(names) > _MOST_NAMED else ""
            return f"in `{around}` there is {', '.join(names[:_MOST_NAMED])}{more}"
        return f"`archc summary {show(self.typed)}` shows its layers"

    def _layer(self, node: Node, draft: Draft) -> Iterator[str]:
        what = f"block {draft.template}" if draft.template else draft.key
        shapes = ", ".join(shape_text(v.shape) for v in node.inputs)
        yield f"{node.path}  {what}  {shapes} -> {shape_text(node.output.shape)}"
        weights = sum(w.count for one in node.walk() for w in one.weights)
        macs = sum(one.macs for one in node.walk())
        yield f"{weights:,} weights, {macs:,} MACs"
        yield from self.overview.story(draft.layer, self.places.changes(node.path))
        lines = [*self._structure(node, draft), *self._values(node, draft)]
        if lines:
            yield ""
            yield from table(lines, self.room)

    def _structure(self, node: Node, draft: Draft) -> Iterator[Line]:
        """Yield what is no attribute of an op, where somebody said it or it holds anyway."""
        inside = draft.inside or draft.layer
        core, fork_draft = node, draft
        while core.op.key == "block" and len(core.graphs[0].nodes) == 1:
            (core,), (fork_draft,) = core.graphs[0].nodes, fork_draft.graphs[0].layers
        fork = core.op if isinstance(core.op, Fork) else None
        end_point = any(point.node is node for point in self.network.end_points)
        shares = zip(core.graphs, fork.split or (), strict=False) if fork else ()
        share = {graph.name: count for graph, count in shares}
        written = {name: bound.value for name, bound in (fork_draft.split or {}).items()}
        head: Head | None = next((h for h in self.network.heads if h.node is node), None)
        values = {
            "block": draft.template,
            "from": ", ".join(value.name for value in node.inputs),
            "repeat": "",
            "end_point": yaml_text(end_point),
            "branches": ", ".join(graph.name for graph in core.graphs) if fork else "",
            "join": fork.join if fork else "",
            "split": _text({name: share[name] for name in written}) if share else "",
            "training_only": yaml_text(bool(head and head.training_only)),
            "loss_weight": yaml_text(head.loss_weight) if head else "",
        }
        for key, value in values.items():
            said = history.said(inside if key in CONTENT else draft.layer, key)
            if said:
                shown = value or source_text(said[-1].node)
                at = said[-1].node.position
                text = _text(written) if key == "split" and _names(written) else ""
                yield Line(key, shown, text, self.overview.by("layer", at), at)
                yield from self._before(said)
            elif key == "from" and draft.source_positions:
                at = draft.source_positions[0]
                yield Line(key, value, "", self.overview.by("layer", at), at)
            elif key == "end_point" and end_point:
                yield Line(key, value, "", "by its place", None)
            elif key == "join" and value:
                yield Line(key, value, "", "built in", None)

    def _values(self, node: Node, draft: Draft) -> Iterator[Line]:
        if draft.key not in BY_KEY:
            for name, bound in draft.arguments.items():
                value = getattr(node.op, "arguments", {}).get(name)
                kind = _DEFAULT if bound.scope is not draft.scope else "with"
                yield from self._bound(name, value, bound, kind)
                yield from self._given_before(draft, name, bound)
            return
        op = BY_KEY[draft.key]
        own = draft.defaults.get(op.key, {})
        settled = write_attributes(node.op) if isinstance(node.op, Op) else {}
        for name in {**draft.attributes, **settled}:
            found = draft.attributes.get(name)
            shown = op.key if name == op.main else name
            value = settled[name] if name in settled else found.value if found else None
            said = history.said(draft.layer, shown)
            if found is None and len(said) < 2 and (back := self._back(draft, op.key, name)):
                yield from self._taken_back(op.key, name, shown, value, back)
                continue
            if found is None:
                yield Line(shown, yaml_text(value), "", "built in", None)
                yield from self._before(said)  # what null took back
                continue
            kind = "defaults" if own.get(name) is found else "layer"
            if isinstance(found.value, DraftNorm):
                yield self._line(shown, found.value.key, found, kind)
                yield from self._norm(found.value, draft, value)
            else:
                yield from self._bound(shown, value, found, kind)
            if said and self.overview.by("", said[-1].node.position):
                default = own.get(name)
                text = _default(op.key, name, default) if default else ""
                yield from self._before(said, text, default)

    def _given_before(self, draft: Draft, name: str, bound: Bound) -> Iterator[Line]:
        """Yield what a block's parameter was before a patch gave the value that it has."""
        block, layer = self.draft.written.blocks[draft.template], draft.layer
        same = [e for e in history.earlier(layer) if str(e.block) == draft.template]
        given: list[tuple[Attribute, str]] = [(block.params[name], _DEFAULT)] if same else []
        given += [(e.arguments[name], "with") for e in same if name in e.arguments]
        given = [g for g in given if g[0].value is not None and g[0].position != bound.position]
        if given and self.overview.by("", bound.position):
            old, kind = given[-1]
            kind = self.overview.by(kind, old.position)
            yield Line("  before", _text(old.value), "", kind, old.position)

    def _norm(self, norm: DraftNorm, draft: Draft, settled: object) -> Iterator[Line]:
        op = NORMS[norm.key].key
        inherited = draft.defaults.get(op, {})
        values = settled.get(norm.key) if isinstance(settled, dict) else None
        for name, bound in {**inherited, **norm.attributes}.items():
            kind = "layer" if name in norm.attributes else "defaults"
            if bound.value is None and isinstance(values, dict) and name in values:
                own = norm.attributes.get(name)
                back = self._back(draft, op, name, own) or (bound, kind, None)
                yield from self._taken_back(op, name, f"norm.{name}", values[name], back)
            else:
                yield from self._bound(f"norm.{name}", bound.value, bound, kind)

    def _back(self, draft: Draft, op: str, name: str, own: Said | None = None) -> Back | None:
        """Return the null that took back a value of a layer, and the value; None where none did."""
        said: list[tuple[Said, str]] = [
            (defaults[op][name], "defaults")
            for defaults in self.places.defaults(draft)
            if name in defaults.get(op, {})
        ]
        own = own or (draft.layer.attributes.get(name) if op == draft.key else None)
        said += [(own, "layer")] if own else []
        for (old, _), (null, kind) in reversed([*pairwise(said)]):
            if old.value is not None and null.value is None:
                return null, kind, old
        return None

    def _taken_back(
        self, op: str, name: str, shown: str, value: object, back: Back
    ) -> Iterator[Line]:
        """Yield what is built in, with the null that brings it back, and what that took back."""
        null, kind, old = back
        at = null.position
        yield Line(shown, yaml_text(value), "null", self.overview.by(kind, at), at)
        if old:
            kind = self.overview.by("defaults", old.position)
            yield Line("  before", _default(op, name, old), "", kind, old.position)

    def _bound(self, name: str, value: object, bound: Bound, kind: str) -> Iterator[Line]:
        """Yield a value, and below it the parameters that its expression reads."""
        yield self._line(name, value, bound, kind)
        waiting, seen = [(bound, 1)], 0
        while waiting and seen < MAX_READINGS:
            read, depth = waiting.pop(0)
            for word in _names(read.value):
                inner = read.scope.params.get(word)
                if inner:
                    seen += 1
                    kind = _DEFAULT if inner.scope is read.scope else "with"
                    kind = "spec" if word in self.draft.params else kind
                    yield self._line(f"{'  ' * depth}${word}", inner.value, inner, kind)
                    waiting.append((inner, depth + 1))

    def _line(self, name: str, value: object, bound: Bound, kind: str) -> Line:
        written = f"${bound.value.text}" if isinstance(bound.value, Expression) else ""
        kind, text = self.overview.by(kind, bound.position), _text(value)
        return Line(name, text, written if written != text else "", kind, bound.position)

    def _before(
        self, said: Sequence[Entry], text: str = "", default: Bound | None = None
    ) -> Iterator[Line]:
        """Yield what the last word on a key took the place of: maybe a default, as `text`."""
        if len(said) > 1:
            node = said[-2].node
            kind, text = self.overview.by("layer", node.position), source_text(node)
            if said[-2].key == "branches" and isinstance(node, Mapping):
                text = ", ".join(node.entries)
            yield Line("  before", text, "", kind, node.position)
        elif default:
            kind = self.overview.by("defaults", default.position)
            yield Line("  before", text, "", kind, default.position)


def _names(value: object) -> Iterable[str]:
    if isinstance(value, Expression):
        return value.names
    if isinstance(value, dict):
        return [name for part in value.values() for name in _names(part)]
    return []


def _default(op: str, name: str, default: Bound | Attribute) -> str:
    """Return a default as a spec writes it."""
    value = default.value
    if isinstance(value, WrittenNorm | DraftNorm):
        own = {k: _default(value.key, k, a) for k, a in value.attributes.items()}
        return _text({value.key: own} if own else value.key)
    if isinstance(value, Expression | dict | None):
        return _text(value)
    return _text(write(attributes(BY_KEY[op])[name], value))


def _text(value: object) -> str:
    if isinstance(value, Expression):
        return f"${value.text}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_text(v)}" for k, v in value.items()) + "}"
    return show(yaml_text(value))
