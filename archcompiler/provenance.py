"""Where the values of a layer come from: the layer, a default, a patch, the command line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from archcompiler.diagnostics import show
from archcompiler.draft import Bound, Draft, DraftNetwork, DraftNorm, shown_paths
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, did_you_mean
from archcompiler.expression import Expression
from archcompiler.fields import shape_text, yaml_text
from archcompiler.ir import Head, Network, Node
from archcompiler.op import Op, write_attributes
from archcompiler.ops import BY_KEY
from archcompiler.ops.unit import NORMS
from archcompiler.overrides import COMMAND_LINE
from archcompiler.position import Position
from archcompiler.rewrite import positions
from archcompiler.spec import Patch

WIDTH = 100
MAX_READINGS = 20
"""So many parameters that expressions read in turn are shown."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A value: what it is called, what it is, how it was written, by what and where."""

    name: str
    value: str
    written: str
    kind: str
    position: Position | None


@dataclass(slots=True)
class Provenance:
    """What explains the layers and parameters of one network."""

    draft: DraftNetwork
    network: Network
    patches: tuple[Patch, ...]
    patched: set[Position] = field(init=False)

    def __post_init__(self) -> None:
        files = (p for p in self.patches if not p.by_command_line)
        self.patched = {position for patch in files for position in positions(patch)}

    def explain(self, path: str) -> str:
        """Tell about the layer at a path, or the parameter of that name. Raises E703."""
        nodes = {node.path: node for node in self.network.walk()}
        drafts = {shown: draft for draft, shown in shown_paths(self.draft).items()}
        if path in nodes:
            return "\n".join(self._layer(nodes[path], drafts[path]))
        if path in self.draft.params:
            lines = [self._line(path, self.network.params[path], self.draft.params[path], "spec")]
            return "\n".join([f"{path}  parameter of {self.network.name}", "", *_table(lines)])
        known = [*nodes, *self.draft.params]
        inner = [p for p in known if p.lower().endswith(f"/{path.lower()}")]
        near = f"did you mean `{inner[0]}`?" if inner else did_you_mean(path, known)
        if path.startswith("blocks/"):
            near = "name a layer of one of its instances"
        message = f"`{show(path)}` is no layer and no parameter of {self.network.name}"
        hint = near or f"`archc summary {show(self.network.name)}` shows its layers"
        raise ArchcError(
            Diagnostic(code="E703", message=message, hint=hint), exit_code=USAGE_OR_ENVIRONMENT
        )

    def _layer(self, node: Node, draft: Draft) -> Iterator[str]:
        what = f"block {draft.template}" if draft.template else draft.key
        shapes = ", ".join(shape_text(v.shape) for v in node.inputs)
        yield f"{node.path}  {what}  {shapes} -> {shape_text(node.output.shape)}"
        weights = sum(w.count for one in node.walk() for w in one.weights)
        macs = sum(one.macs for one in node.walk())
        yield f"{weights:,} weights, {macs:,} MACs"
        kind = " by a patch" if draft.position in self.patched else ""
        yield f"written at {draft.position}{kind}"
        for row in self.draft.blame.patched.get(draft.position, ()):
            if row.value == node.path or row.value.startswith("blocks/"):
                yield f"patched at {row.position} as {row.value}"
        lines = [*self._head(node), *self._values(node, draft)]
        if lines:
            yield ""
            yield from _table(lines)

    def _head(self, node: Node) -> Iterator[_Line]:
        head: Head | None = next((h for h in self.network.heads if h.node is node), None)
        if head and head.training_only:
            yield _Line("training_only", "true", "", "head", None)
            yield _Line("loss_weight", yaml_text(head.loss_weight), "", "head", None)

    def _values(self, node: Node, draft: Draft) -> Iterator[_Line]:
        if draft.key not in BY_KEY:
            for name, bound in draft.arguments.items():
                value = getattr(node.op, "arguments", {}).get(name)
                kind = "block" if bound.scope is not draft.scope else "with"
                yield from self._bound(name, value, bound, kind)
            return
        op = BY_KEY[draft.key]
        own = draft.defaults.get(op.key, {})
        settled = write_attributes(node.op) if isinstance(node.op, Op) else {}
        for name in {**draft.attributes, **settled}:
            found = draft.attributes.get(name)
            shown = op.key if name == op.main else name
            value = settled[name] if name in settled else found.value if found else None
            if found is None:
                yield _Line(shown, yaml_text(value), "", "built in", None)
                continue
            kind = "defaults" if own.get(name) is found else "layer"
            if isinstance(found.value, DraftNorm):
                yield self._line(shown, found.value.key, found, kind)
                yield from self._norm(found.value, draft)
            else:
                yield from self._bound(shown, value, found, kind)

    def _norm(self, norm: DraftNorm, draft: Draft) -> Iterator[_Line]:
        inherited = draft.defaults.get(NORMS[norm.key].key, {})
        for name, bound in {**inherited, **norm.attributes}.items():
            kind = "layer" if name in norm.attributes else "defaults"
            yield from self._bound(f"norm.{name}", bound.value, bound, kind)

    def _bound(self, name: str, value: object, bound: Bound, kind: str) -> Iterator[_Line]:
        """Yield a value, and below it the parameters that its expression reads."""
        yield self._line(name, value, bound, kind)
        waiting, seen = [(bound, 1)], 0
        while waiting and seen < MAX_READINGS:
            read, depth = waiting.pop(0)
            for word in _names(read.value):
                inner = read.scope.params.get(word)
                if inner:
                    seen += 1
                    kind = "spec" if word in self.draft.params else "argument"
                    yield self._line(f"{'  ' * depth}${word}", inner.value, inner, kind)
                    waiting.append((inner, depth + 1))

    def _line(self, name: str, value: object, bound: Bound, kind: str) -> _Line:
        written = f"${bound.value.text}" if isinstance(bound.value, Expression) else ""
        if bound.position.source.name == COMMAND_LINE:
            kind = "command line"
        elif bound.position in self.patched:
            kind = f"{kind}, patch"
        text = _text(value)
        return _Line(name, text, written if written != text else "", kind, bound.position)


def _names(value: object) -> Iterable[str]:
    if isinstance(value, Expression):
        return value.names
    if isinstance(value, Mapping):
        return [name for part in value.values() for name in _names(part)]
    return []


def _text(value: object) -> str:
    if isinstance(value, Expression):
        return f"${value.text}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_text(v)}" for k, v in value.items()) + "}"
    return show(yaml_text(value))


def _table(lines: Iterable[_Line]) -> Iterator[str]:
    """Align the columns; a place that does not fit in a line stands on the next one."""
    rows = [
        (line.name, f"{line.value}  ({line.written})" if line.written else line.value, line.kind,
         str(line.position) if line.position else "")
        for line in lines
    ]  # fmt: skip
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    for name, value, kind, place in rows:
        text = f"{name:<{widths[0]}}  {value:<{widths[1]}}  {kind:<{widths[2]}}  {place}".rstrip()
        yield from (
            [text] if len(text) <= 100 else textwrap.wrap(text, 100, subsequent_indent="    ")
        )
