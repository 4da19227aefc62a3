"""What patches call a layer, where it was written before them, and what became of what is gone.

A layer of a block has the path of its template, too, and a copy of a repeated layer that of the
layer as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from archcompiler import history
from archcompiler.draft import Draft, DraftGraph, DraftNetwork, shown_paths
from archcompiler.merge import is_null
from archcompiler.paths import NUMBERED, TOP, Address, join
from archcompiler.position import Position
from archcompiler.renamed import former
from archcompiler.source import Mapping, Node, Scalar, Sequence
from archcompiler.spec import Defaults, Patch, Spec
from archcompiler.texts import Text, Texts


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of a path that is gone, or of what was around it."""

    path: str
    """What was removed, replaced, renamed, or written anew without what is asked for."""
    verb: str
    position: Position
    names: tuple[str, ...] = ()
    """What it is called now, or what took its place."""


Around = tuple[Draft | None, Defaults]
"""A container, or none at the top, and the defaults of its list that the layer is in."""

Order = tuple[int, int]
"""When something was lost: by a file, by patches of templates, then by others, in their order."""


@dataclass(slots=True)
class Renamed:
    """What stands there now of what patches gave other names, the last of them in an `order`."""

    order: Order
    position: Position
    draft: Draft
    """The first of it."""
    paths: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class Addresses:
    """The paths of a spec as it was read, and what of it stands in the network under them."""

    spec: Spec
    network: DraftNetwork
    written: dict[str, Text] = field(init=False)
    layers: dict[str, Draft] = field(default_factory=dict)
    branches: dict[str, DraftGraph] = field(default_factory=dict)
    """Those that are lists of layers."""
    uses: dict[str, list[str]] = field(default_factory=dict)
    """By path in a template, or of a layer as it was before it was repeated, what it stands for."""
    copied: dict[str, None] = field(default_factory=dict)
    """Those paths that mean every copy of a repeated layer."""
    around: dict[Draft, Around] = field(default_factory=dict)
    """What a layer is in, if that is no list of a head."""
    renamed: dict[str, Renamed] = field(default_factory=dict)
    """By a path that a layer had before, or all copies of one."""
    texts: Texts = field(init=False)

    def __post_init__(self) -> None:
        self.texts = Texts(self.spec)
        self.written = self.texts.written
        network = self.network
        shown = shown_paths(network)
        patches = {patch.order: patch for patch in network.written.patches}
        layers = [*network.stem.layers, *network.body.layers, *(h.layer for h in network.heads)]
        waiting = [(draft, TOP) for draft in reversed(layers)]
        self.around |= dict.fromkeys(network.stem.layers, (None, network.written.stem.defaults))
        self.around |= dict.fromkeys(network.body.layers, (None, network.written.body.defaults))
        while waiting:
            draft, outer = waiting.pop()
            path = shown[draft]
            own = outer.inside(draft.name, former(draft.layer, templates=None))
            self._note_former(draft, outer, own, patches)
            self.layers[path] = draft
            for address in dict.fromkeys(_addresses(draft, path)):
                self.uses.setdefault(address, []).append(path)
            if _is_copy(draft):
                self.copied |= dict.fromkeys(a for a in _addresses(draft, path) if a != path)
            for graph in draft.graphs:
                if graph.branch and not graph.single:
                    branch = join(_inside(draft, path), graph.name)
                    self.branches[branch] = graph
                    if address := _of_branch(graph):
                        self.uses.setdefault(address, []).append(branch)
            for graph in reversed(draft.graphs):
                block = network.written.blocks.get(draft.template)
                inside = block.layer.defaults if block else {}
                inside = graph.branch.defaults if graph.branch else inside
                self.around |= dict.fromkeys(graph.layers, (draft, inside))
                inner = own.inside("" if graph.single else graph.name)
                waiting += [(d, inner) for d in reversed(graph.layers)]

    def _note_former(
        self, draft: Draft, outer: Address, own: Address, patches: dict[int, Patch]
    ) -> None:
        """Note what a layer was called before patches gave it, or its copies, other names."""
        past = draft.layer.past
        by = [patch for p in past if (patch := patches.get(p.until))]
        by = [patch for patch in by if "name" in patch.entries] or by
        if not by or not draft.named:
            return
        order = (int(not by[-1].path.startswith("blocks/")), by[-1].order)
        position = by[-1].entries["name" if "name" in by[-1].entries else "repeat"].position
        copied = join(outer.path, _as_written(draft)) if _is_copy(draft) else own.path
        wholes = [join(o, p.text) for o, *_ in outer.spans() for p in past if p.repeated]
        names = [(each.text, own.path) for each in own.former] + [(w, copied) for w in wholes]
        for name, path in names:
            self.renamed.setdefault(name, Renamed(order, position, draft)).paths.setdefault(path)

    def changes(self, path: str) -> list[Patch]:
        """Return the patches that set something of the layer at a path, in their order."""
        draft = self.layers[path]
        found = {p.order: p for layer in (draft.layer, draft.inside) if layer
                 for p in history.changes(layer)}  # fmt: skip
        return [patch for _, patch in sorted(found.items())]

    def defaults(self, draft: Draft) -> list[Defaults]:
        """Return what each scope around a layer says of ops, the widest first, its own last."""
        found = [draft.layer.defaults]
        while around := self.around.get(draft):
            outer, inside = around
            found += [inside, outer.layer.defaults] if outer else [inside]
            if outer is None:
                break
            draft = outer
        return [self.network.written.defaults, *reversed(found)]

    def in_copy(self, path: str) -> str | None:
        """Return what a path inside of a repeated layer means in its first copy."""
        parts = path.split("/")
        for n in range(1, len(parts)):
            repeated = "/".join(parts[:n])
            if repeated in self.copied:
                copy = "/".join((self.uses[repeated][0], *parts[n:]))
                return copy if self._stands(copy) else None
        return None

    # What is gone

    def loss(self, path: str, after: Order = (-1, -1)) -> Loss | None:
        """Return what became of a path that the network does not have, where a spec says it.

        Of what was renamed, and is gone under its new name, that is what became of it. Only what
        comes `after` counts.
        """
        parts = path.split("/")
        depth = len(parts)
        if self._stands(path):
            return None
        while depth and not self._stands("/".join(parts[:depth])):
            depth -= 1
        around, rest = "/".join(parts[:depth]), parts[depth:]
        own = [*self._renamed(path, after)]
        found = [*own, *self._dropped(path)]
        bases = dict.fromkeys(base for base in self._bases(around) if base or not around)
        known = any(join(base, "/".join(rest)) in self.written for base in bases)
        for n in range(1, depth + 1):  # what is an instance's own has its template's path no more
            draft = self.layers.get("/".join(parts[:n]))
            inside = f"blocks/{draft.template}/{'/'.join(parts[n:])}" if draft else ""
            known = known or inside in self.written
        for base in bases:
            if known and base:
                found += self._losses(base, around, path)
                found += self._losses(f"{base}/", around, path)
            for n in range(1, len(rest) + 1):
                inner = "/".join(rest[:n])
                address, at = join(base, inner), join(around, inner)
                found += self._losses(address, at, path)
                if known and n < len(rest):
                    found += self._losses(f"{address}/", at, path)
        found += [*self._swapped(parts[:depth], path), *self._beyond(around, rest)]
        heads = [head.name.text for head in self.spec.heads]
        if not around and path in self.written and parts[0] not in ("blocks", *heads):
            found += [f for name in ("stem", "body") for f in self._losses(name, name, path)]
        found = [one for one in found if one[0] > after]
        if not found:
            return None
        order, last = max(found, key=lambda one: one[0])
        new = f"{last.path.rpartition('/')[0]}/{last.names[0]}".lstrip("/") if last.names else ""
        if last.verb == "name" and (order, last) not in own and not self._stands(new):
            return self.loss(new + path.removeprefix(last.path), order)
        return last

    def _renamed(self, path: str, after: Order) -> Iterator[tuple[Order, Loss]]:
        """Yield what a layer is called now, or what became of a copy under its later name."""
        parts = path.split("/")
        for n in range(1, len(parts) + 1):
            at, rest = "/".join(parts[:n]), parts[n:]
            around = at.rpartition("/")[0]
            if found := self.renamed.get(at):
                paths = [*found.paths]
                there = "/".join((paths[0], *rest))
                if self._stands(there) or self.in_copy(there):
                    near = all(p.rpartition("/")[0] == around for p in paths)
                    names = [p.rpartition("/")[2] if near else p for p in paths]
                    yield found.order, Loss(at, "name", found.position, tuple(names))
                continue
            numbered = NUMBERED.fullmatch(at)
            found = self.renamed.get(numbered[1]) if numbered else None
            if numbered and found and found.order > after:
                repeat = history.said(found.draft.layer, "repeat")
                new = self._copy(found, at[len(numbered[1]) + 1 :])
                lost = self.loss("/".join((new, *rest)), found.order) if new else None
                if repeat and not lost:
                    lost = Loss(numbered[1], "repeat", repeat[-1].node.position)
                if lost:
                    yield found.order, lost

    def _copy(self, found: Renamed, number: str) -> str:
        """Return what a further copy of what was renamed would be called; empty for none."""
        new = next(iter(found.paths))
        if new in self.copied:
            return f"{new}_{number}"
        said = history.said(found.draft.layer, "repeat")
        if said and isinstance(said[-1].node, Sequence):
            names = {str(n): name for n, name in enumerate(said[-1].node.items, 1)}
            name = names.get(number)
            return join(new.rpartition("/")[0], name.text) if isinstance(name, Scalar) else ""
        return ""

    def _swapped(self, parts: list[str], path: str) -> Iterator[tuple[Order, Loss]]:
        """Yield what made instances around a path uses of another block, where that has it not."""
        for n in range(1, len(parts) + 1):
            at = "/".join(parts[:n])
            draft = self.layers.get(at)
            layer = draft.layer if draft and draft.template else None
            while layer and layer.before:
                before, patch = layer.before
                texts = self.texts.of(f"blocks/{before.block}{path.removeprefix(at)}")
                known = not self.written.keys().isdisjoint(texts)
                if known and "block" in patch.entries and layer.block:
                    at_block = patch.entries["block"].node.position
                    yield (1, patch.order), Loss(at, "block", at_block, (layer.block.text,))
                layer = before

    def _beyond(self, around: str, rest: list[str]) -> Iterator[tuple[Order, Loss]]:
        """Yield how often a layer is repeated of which the path names a further copy."""
        numbered = NUMBERED.fullmatch(rest[0]) if rest else None
        repeated = join(around, numbered[1]) if numbered else ""
        if repeated in self.copied:
            layer = self.layers[self.uses[repeated][0]].layer
            for entry in history.said(layer, "repeat")[-1:]:  # not all uses of a block may say it
                yield (-1, 0), Loss(repeated, "repeat", entry.node.position)

    def _dropped(self, path: str) -> Iterator[tuple[Order, Loss]]:
        """Yield what a file dropped of its base, to which the path belongs."""
        first, _, rest = path.partition("/")
        name = rest.partition("/")[0]
        for key, at in ((f"heads/{first}", first), (f"{first}/{name}", f"{first}/{name}"),
                        (f"params/{path}", path)):  # fmt: skip
            if position := self.spec.dropped.get(key):
                yield (-1, 0), Loss(at, "remove", position)

    def _losses(self, address: str, at: str, path: str) -> Iterator[tuple[Order, Loss]]:
        """Yield what patches made of an address, which is called `at`, by their order."""
        copies = NUMBERED.fullmatch(address)
        known = self.written.get(copies[1]) if copies else None
        if copies and known and known.layer and known.layer.repeat:
            yield from self._losses(copies[1], at, path)
        born = self._born(address)
        kind = int(not address.startswith("blocks/"))
        for order, patch in self.network.gone.get(address, {}).items():
            if patch is None:  # what a file wrote anew
                continue
            entry = None
            branches = patch.entries.get("branches")
            if branches and isinstance(branches.node, Mapping) and not address.endswith("/"):
                entry = branches.node.entries.get(address.rpartition("/")[2])
            if entry and patch.verb == "set" and is_null(entry.node):
                yield (kind, order), Loss(at, "remove", entry.position)
            elif patch.verb != "set":
                names = tuple(_names(patch.content)) if patch.content else ()
                yield (kind, order), Loss(at, patch.verb, patch.position, names)
            elif at != path:
                yield (kind, order), Loss(at, "set", patch.position)
        for patch in self.network.written.patches:
            name = patch.entries["name"].node if "name" in patch.entries else None
            if not isinstance(name, Scalar) or is_null(name):
                continue
            if patch.path == address and patch.order > born:
                position = patch.entries["name"].position
                yield (kind, patch.order), Loss(at, "name", position, (name.text,))

    def _born(self, address: str) -> int:
        """Return the order of the file that last wrote the part that an address is in."""
        first, _, rest = address.partition("/")
        part = f"blocks/{rest.partition('/')[0]}" if first == "blocks" else f"heads/{first}"
        return self.spec.born.get(part, self.spec.born.get(first, 0))

    def _stands(self, path: str) -> bool:
        return path in self.layers or path in self.branches or path in self.uses

    def _bases(self, path: str) -> Iterator[str]:
        """Yield what patches call a container that stands."""
        yield path
        if path in self.branches:
            yield _of_branch(self.branches[path])
        if path in self.layers:
            draft = self.layers[path]
            if draft.template:
                yield f"blocks/{draft.template}"
            else:
                yield from _addresses(draft, path)


def _addresses(draft: Draft, path: str) -> Iterator[str]:
    """Yield what else patches call a layer: by its template, and by the name it was repeated as."""
    name = history.of_template(draft.layer).name or draft.layer.name
    if draft.around and name:
        yield f"{draft.around}/{name}"
    if _is_copy(draft):
        yield join(path.rpartition("/")[0], _as_written(draft))
        if draft.around:
            yield f"{draft.around}/{_as_written(draft)}"


def _as_written(draft: Draft) -> str:
    """Return the name that a repeated layer has, of one of its copies."""
    written = draft.layer.node.entries["name"].node
    assert isinstance(written, Scalar)
    return written.text


def _is_copy(draft: Draft) -> bool:
    entries = draft.layer.node.entries
    return draft.named and "repeat" in entries and "name" in entries


def _of_branch(graph: DraftGraph) -> str:
    assert graph.branch is not None
    return f"{graph.around}/{graph.branch.name}" if graph.around else ""


def _inside(draft: Draft, path: str) -> str:
    return path if draft.named else path.rpartition("/")[0]


def _names(content: Node) -> Iterable[str]:
    """Return the names of layers that a patch brings in."""
    layers = content.items if isinstance(content, Sequence) else (content,)
    entries = (layer.entries for layer in layers if isinstance(layer, Mapping))
    names = (own["name"].node for own in entries if "name" in own)
    return [name.text for name in names if isinstance(name, Scalar)]
