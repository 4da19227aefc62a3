"""What is told of a path that is no single layer: a section, a branch, a block, repeated layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from archcompiler import history
from archcompiler.addresses import Addresses, Loss
from archcompiler.diagnostics import show
from archcompiler.errors import listed
from archcompiler.expression import Expression
from archcompiler.fields import shape_text, yaml_text
from archcompiler.ir import Network
from archcompiler.overrides import COMMAND_LINE
from archcompiler.position import Position
from archcompiler.rows import Line, table
from archcompiler.source import Mapping, Scalar
from archcompiler.source import Node as SourceNode
from archcompiler.spec import Attributes, Branch, Layer, Patch

MOST_LISTED = 12
_MOST_NAMED = 3
"""So many names of what came in place of a layer are listed."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Says what paths are that a patch takes and that are no single layer."""

    places: Addresses
    network: Network
    patched: Collection[Position]
    """The places of all that patches in files wrote."""
    room: int

    def by(self, kind: str, at: Position) -> str:
        """Say who wrote something: the `kind` of a file's own text, a patch, the command line."""
        if at.source.name == COMMAND_LINE:
            return "command line"
        return f"{kind}, patch".removeprefix(", ") if at in self.patched else kind

    def lines(self, path: str) -> list[str]:
        """Say what a path is, where it was written and what it stands for; none for no such."""
        name = self.network.name
        if path == "input":
            return [f"input  the image of {name}, {shape_text(self.network.input.shape)}"]
        if path in ("blocks", "heads"):
            found = self._blocks() if path == "blocks" else self._heads()
            return [f"{path}  {found[0]} of {name}", "", *found[1:]]
        if path in ("stem", "body"):
            written = self.places.network.written
            layer = written.stem if path == "stem" else written.body
            graph = self.network.stem if path == "stem" else self.network.body
            about = _list("layers", [n.path for n in graph.nodes])
            return [f"{path}  section of {name}", *self.story(layer), "", *about]
        if path.startswith("blocks/"):
            return self._of_template(path)
        if path in self.places.branches:
            branch = self.places.branches[path].branch
            assert branch is not None
            inside = _inside(path, [n.path for n in self.network.walk()])
            about = _list("layers", inside) if inside else ["no layer: it gives what it takes"]
            return [f"{path}  branch of {name}", *self.story(branch), "", *about]
        if path in self.places.copied:
            return self._repeated(path)
        return []

    def story(self, written: Layer | Branch, further: Iterable[Patch] = ()) -> Iterator[str]:
        """Yield where something was written, and the patches that changed it and are no secret."""
        if isinstance(written, Layer):
            patches, first = history.changes(written), history.origin(written)
            at, former = first.position, first.before[0].position if first.before else None
        else:
            patches, former = history.changes(written), None
            origin = history.origin(written)
            at = origin.name.position
        yield f"written at {at}{' by a patch' if at in self.patched else ''}"
        if former:
            yield f"in place of {former}"
        if isinstance(written, Branch) and origin.before:
            yield f"replaced at {origin.before[1].position}"
        renamed = dict(history.renames(written)) if isinstance(written, Layer) else {}
        by = {patch.order: name for name, patch in renamed.items()}
        merged = {p.order: p for p in (*patches, *further) if not p.by_command_line}
        for order, patch in sorted(merged.items()):
            if order in by:
                yield f"renamed at {patch.entries['name'].position} from {by[order]}"
            if order not in by or len(patch.entries) > 1:
                yield f"patched at {patch.position} as {patch.path}"

    # Templates

    def _of_template(self, path: str) -> list[str]:
        spec, known = self.places.network.written, self.places.written.get(path)
        block = spec.blocks.get(path.partition("/")[2])
        if block:
            params = [
                Line(f"param {name}", text, "", self.by("block", at), at)
                for name, text, at in _params(block.params)
            ]
            about = [*table(params, self.room), ""] if params else []
            uses = self._instances(block.name.text)
            about += _list("instances", uses) if uses else ["no layer uses it"]
            story = [*self.story(block.layer)]
            story[0] = f"written at {block.name.position}"
            return [f"{path}  block of {self.network.name}", *story, "", *about]
        if uses := self.places.uses.get(path, []):
            if path in self.places.copied:
                return self._repeated(path)
            if draft := self.places.layers.get(uses[0]):
                story = [*self.story(history.of_template(draft.layer))]
            else:
                branch = self.places.branches[uses[0]].branch
                assert branch is not None
                story = [*self.story(history.of_template(branch))]
            what, word = ("layer", "layers") if draft else ("branch", "branches")
            return [f"{path}  {what} of {self.network.name}", *story, "", *_list(word, uses)]
        if not known:
            return []
        story = [f"written at {known.position}"]
        loss = self.places.loss(path)
        story += [_told(loss, path)] if loss else []
        template = path.split("/")[1]
        what = "branch" if known.what == "branch" else "layer"
        idle = f"no use of it has this {what}"
        idle = idle if self._instances(template) else f"no layer uses the block `{template}`"
        return [f"{path}  {known.what} of {self.network.name}", *story, "", idle]

    def _instances(self, block: str) -> list[str]:
        layers = self.places.layers.items()
        return [path for path, draft in layers if draft.template == block]

    def _repeated(self, path: str) -> list[str]:
        uses = self.places.uses[path]
        written = history.of_repeated(self.places.layers[uses[0]].layer)
        if path.startswith("blocks/"):
            written = history.of_template(written)
        about = _list("instances", uses)
        what = "repeated layer"
        return [f"{path}  {what} of {self.network.name}", *self.story(written), "", *about]

    # All of a kind

    def _blocks(self) -> list[str]:
        uses = Counter(d.template for d in self.places.layers.values() if d.template)
        blocks = self.places.network.written.blocks
        rows = [
            (name, "1 use" if uses[name] == 1 else f"{uses[name]} uses", str(block.name.position))
            for name, block in blocks.items()
        ]
        return ["1 block" if len(rows) == 1 else f"{len(rows)} blocks", *_rows(rows)]

    def _heads(self) -> list[str]:
        heads = {head.name.text: head for head in self.places.network.written.heads}
        rows = []
        for head in self.network.heads:
            role = "training only" if head.training_only else ""
            role = "the output" if head.name == self.network.output else role
            shape = shape_text(head.node.output.shape)
            rows.append((head.name, shape, role, str(heads[head.name].name.position)))
        return ["1 head" if len(rows) == 1 else f"{len(rows)} heads", *_rows(rows)]


def _told(loss: Loss, path: str) -> str:
    """Say what became of a path."""
    names = listed(loss.names[:_MOST_NAMED])
    if loss.verb == "name":
        if loss.path == path:
            return f"renamed at {loss.position} to {names}"
        return f"{loss.path} was renamed at {loss.position} to {names}"
    if loss.verb == "set":
        return f"gone since {loss.path} was written anew at {loss.position}"
    if loss.verb == "repeat":
        return f"gone since {loss.path} has fewer copies: see its repeat at {loss.position}"
    word = f"{loss.verb}d"
    if loss.path != path:
        return f"{word} at {loss.position} with {loss.path}"
    return f"{word} at {loss.position}" + (f" by {names}" if names else "")


def hint(loss: Loss, path: str) -> str:
    """Say in an error what became of a path."""
    names = listed([f"`{name}`" for name in loss.names[:_MOST_NAMED]])
    it = "it" if loss.path == path else f"`{loss.path}`"
    if loss.verb == "name":
        return f"{it} is named {names} since {loss.position}"
    if loss.verb == "repeat":
        return f"{it} has fewer copies: see its `repeat` at {loss.position}"
    if loss.verb == "block":
        return f"{it} is of block {names} since {loss.position}"
    if loss.verb == "set":
        return f"{it} was written anew at {loss.position}, without it"
    new = f", by {names}" if names and loss.verb == "replace" else ""
    return f"{it} was {loss.verb}d at {loss.position}{new}"


def _params(params: Attributes) -> Iterator[tuple[str, str, Position]]:
    """Yield the names, values and places of a block's parameters."""
    for name, attribute in params.items():
        text = "each use says it"
        if isinstance(attribute.value, Expression):
            text = f"${attribute.value.text}"
        elif attribute.value is not None:
            text = show(yaml_text(attribute.value))
        yield name, text, attribute.position


def source_text(node: SourceNode) -> str:
    """Return a written value on one line."""
    if isinstance(node, Scalar):
        return show(node.text)
    if isinstance(node, Mapping):
        entries = node.entries.items()
        return "{" + ", ".join(f"{k}: {source_text(e.node)}" for k, e in entries) + "}"
    return "[" + ", ".join(map(source_text, node.items)) + "]"


def _inside(path: str, paths: Sequence[str]) -> list[str]:
    deep = path.count("/") + 1
    return [p for p in paths if p.startswith(f"{path}/") and p.count("/") == deep]


def _rows(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"  {'  '.join(f'{c:<{w}}' for c, w in zip(row, widths, strict=True))}".rstrip()
        for row in rows
    ]


def _list(word: str, paths: Sequence[str]) -> list[str]:
    rest = len(paths) - MOST_LISTED
    lines = [f"  {path}" for path in paths[:MOST_LISTED]]
    return [f"{word}:", *lines, *([f"  and {rest} more"] if rest > 0 else [])]
