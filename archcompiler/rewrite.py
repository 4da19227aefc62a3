"""What patches make of written nodes: entries put over others, and layers in others' places."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator

from archcompiler import merge
from archcompiler.errors import Report, Row
from archcompiler.layers import CONTAINER_KEYS, as_group, spelled_out
from archcompiler.op import attributes
from archcompiler.ops import BY_KEY
from archcompiler.position import Position
from archcompiler.source import Entry, Mapping, Node, Sequence
from archcompiler.spec import COMMON, CONTAINERS, Branch, Layer, Name, Patch
from archcompiler.validate import HEAD_KEYS

Keys = Collection[str] | None


def keyed(node: Node, patch: Patch, report: Report, *, head: bool = False) -> Node:
    """Return the node of a branch or head after a `set` or a `replace`.

    A head that is replaced still reads what it read, and trains as it did, unless the patch says.
    """
    node = spelled_out(node)
    if patch.verb == "set":
        written = node if isinstance(node, Mapping) else as_group(node)
        found = over(written, patch, report, HEAD_KEYS if head else ())
        bare = written is not node and {*found.entries} == {"layers"}
        return found.entries["layers"].node if bare else found
    assert patch.content is not None
    if not head or not isinstance(node, Mapping):
        return patch.content
    own = {key: node.entries[key] for key in ("from", *HEAD_KEYS) if key in node.entries}
    if not own:
        return patch.content
    content = spelled_out(patch.content)
    content = content if isinstance(content, Mapping) else as_group(content)
    return Mapping({**own, **content.entries}, content.position)


def over(
    node: Mapping, patch: Patch, report: Report, known: Collection[str] = (), keys: Keys = None
) -> Mapping:
    """Put a patch's entries, or those `keys` of it, over a layer's; null takes back what is said.

    Mappings of names are merged. `known` are further keys that there may be; what sets any other
    to null stays, as a mistake.
    """
    found = dict(node.entries)
    kind = next((k for k in found if k in CONTAINERS), "")
    common = {*COMMON, *known, *CONTAINER_KEYS.get(kind, ())}
    op = next((BY_KEY[k] for k in found if k in BY_KEY), None)
    own = attributes(op) if op else ()
    for key, entry in patch.entries.items():
        below = found.get(key)
        if keys is not None and key not in keys:
            continue
        if not merge.is_null(entry.node) or key in BY_KEY:
            merges = key in merge.NAMED or key == "defaults"
            below = below or (merge.empty(entry) if merges else None)
            found[key] = merge.merged(below, entry, report) if below else entry
        elif below:
            del found[key]
        elif key in common or key in own:
            _refuse_null(entry, patch, report, of_defaults=key in own)
        else:
            found[key] = entry
    return Mapping(found, node.position)


def _refuse_null(entry: Entry, patch: Patch, report: Report, *, of_defaults: bool) -> None:
    message = f"`{patch.path}` does not say `{entry.key}` itself, so null takes nothing back"
    hint = "drop it"
    if of_defaults:
        hint = f"what it has comes from defaults: give another value, as `{entry.key}: ...`"
    refuse(patch, message, hint, report, entry.position)


def refuse(
    patch: Patch,
    message: str,
    hint: str | None,
    report: Report,
    at: Position | None = None,
    rows: Iterable[Row] = (),
) -> None:
    """Report a patch that cannot be: E310 where the command line says it, else E319."""
    code = "E310" if patch.by_command_line else "E319"
    report.error(code, message, at or patch.position, rows=rows, hint=hint)


def in_place(layer: Layer, replaced: Layer, *, single: bool) -> Layer:
    """Return the first layer in another's place: it reads the same; a single one has its name."""
    several = layer.key in BY_KEY and BY_KEY[layer.key].several_inputs
    if not layer.sources and several == (len(replaced.sources) > 1):
        layer = dataclasses.replace(layer, sources=replaced.sources)
    if single and replaced.name and not layer.name:
        name = Name(replaced.name.text, layer.position)
        layer = dataclasses.replace(layer, name=name)
    return layer


def after_branch(branch: Branch, before: Branch, patch: Patch) -> Branch:
    """Return a branch that a patch made, with what it was before; so its layer, if single."""
    layers = branch.layers
    if branch.single and before.single:
        layers = (dataclasses.replace(layers[0], before=(before.layers[0], patch)),)
    return dataclasses.replace(branch, layers=layers, before=(before, patch))


def has_null(entry: Entry) -> bool:
    """Tell whether an entry takes something back: it is null, or holds one."""
    todo = [entry.node]
    while todo:
        node = todo.pop()
        if merge.is_null(node):
            return True
        if isinstance(node, Mapping):
            todo += [inner.node for inner in node.entries.values()]
    return False


def size(node: Node) -> int:
    """Return how many values a node has, itself included."""
    count, todo = 0, [node]
    while todo:
        node = todo.pop()
        count += 1
        if isinstance(node, Mapping):
            todo += [entry.node for entry in node.entries.values()]
        elif isinstance(node, Sequence):
            todo += node.items
    return count


def positions(patch: Patch) -> Iterator[Position]:
    """Yield the place of every key and value that a patch wrote."""
    entries = [*patch.entries.values()]
    nodes = [patch.content] if patch.content else []
    while entries or nodes:
        if entries:
            entry = entries.pop()
            yield entry.position
            nodes.append(entry.node)
            continue
        node = nodes.pop()
        yield node.position
        if isinstance(node, Mapping):
            entries += node.entries.values()
        elif isinstance(node, Sequence):
            nodes += node.items
