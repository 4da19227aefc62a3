"""What a patch addresses and is not there: what took it away, and what was probably meant."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from archcompiler.errors import Row, nearest
from archcompiler.spec import Spec, removed
from archcompiler.targets import SECTIONS, find
from archcompiler.texts import Texts
from archcompiler.validate import TOP

_MOST_NAMED = 6
"""So many names of what there is are listed in a hint."""
_MOST_READ = 1_000
"""So many paths are read for them."""


@dataclass(slots=True)
class Lost:
    """Looks for paths that name nothing in a spec; `away` is what patches took, by path.

    What it looks through is made once, for there may be many such paths.
    """

    spec: Spec
    away: Mapping[str, Row]
    _places: Texts | None = None
    _known: dict[bool, Lines] = field(default_factory=dict)
    """The paths that there are: those of templates, and those of layers."""

    @property
    def places(self) -> Texts:
        """Return what the spec says at which path."""
        self._places = self._places or Texts(self.spec)
        return self._places

    def row(self, path: str) -> Row | None:
        """Return what took away a path, or what was around it, by whatever name it was called.

        What an instance has goes with its template's, and what a copy has with the original's.
        """
        first, _, rest = path.partition("/")
        part = f"blocks/{rest.partition('/')[0]}" if first == "blocks" else f"heads/{first}"
        if dropped := removed(self.spec, part):
            return dropped[0]
        if not self.away:
            return None
        places, parts = self.places, path.split("/")
        around = ("/".join(parts[:n]) for n in range(1, len(parts) + 1))
        named = zip(around, places.along(parts), strict=True)
        known = (a for one, addresses in named for a in (one, *addresses) if a in self.away)
        address = next(known, None)
        if address is None:
            return None
        row = self.away[address]
        return row if address == path else dataclasses.replace(row, value=address)

    def meant(self, path: str, known: Lines) -> str | None:
        """Return a hint with what was probably meant; `known` are the paths beside this one."""
        spec, (first, *rest) = self.spec, path.split("/")
        if first == "heads" and not rest and spec.heads:
            return f"a head goes by its name, as `{spec.heads[0].name}`"
        if first == "blocks" and not rest and spec.blocks:
            return f"say which block, as `blocks/{next(iter(spec.blocks))}`"
        if first in TOP and first not in (*SECTIONS, "blocks"):
            return f"`{first}` is no layer: a variant says its own, `{first}:` beside `patch:`"
        if first in spec.blocks:
            return f"the block is `blocks/{path}`, and its uses have names of their own"
        if first in SECTIONS and known.holds("/".join(rest)):
            return f"paths do not name the section: `{'/'.join(rest)}`"
        target = find(self.places, path.split("/"))
        if target and target.keys and target.path != path:
            return f"an attribute stands beside the path: `{target.patch}`"
        return _near(path, known)

    def lines(self, path: str, known: Collection[str]) -> Lines:
        """Return the paths among which a path may be meant.

        `known` are paths that patches can have, and the same for all templates, and for all layers.
        """
        template = path.startswith("blocks/")
        if template not in self._known:
            self._known[template] = Lines.of(known)
        return self._known[template]


@dataclass(frozen=True, slots=True)
class Lines:
    """Paths as the lines of a text, which takes little time to search, and little memory."""

    text: str
    folded: str

    @classmethod
    def of(cls, paths: Iterable[str]) -> Lines:
        """Return paths as lines."""
        text = "".join(f"\n{path}" for path in paths) + "\n"
        return cls(text, text.lower())

    def holds(self, path: str) -> bool:
        """Tell whether a path is one of them."""
        return f"\n{path}\n" in self.text

    def ending(self, path: str) -> str | None:
        """Return the first path that ends in another and has more before it, in any case."""
        at = self.folded.find(f"/{path.lower()}\n")
        if at < 0:
            return None
        return self.text.split("\n")[self.folded.count("\n", 0, at)]

    def deepest(self, names: Iterable[str]) -> int:
        """Return with how many of the first of some names a path begins that goes on behind them.

        What begins with more names is never before what begins with fewer: one pass finds all.
        """
        start, at, depth = "\n", 0, 0
        for name in names:
            start += f"{name}/"
            at = self.text.find(start, at)
            if at < 0:
                break
            depth += 1
        return depth

    def inside(self, start: str) -> Iterator[str]:
        """Yield how the paths go on that begin with `start`."""
        at = self.text.find(f"\n{start}")
        while 0 <= at < len(self.text) - 1:
            end = self.text.index("\n", at + 1)
            yield self.text[at + 1 + len(start) : end]
            at = self.text.find(f"\n{start}", end)


def _near(path: str, known: Lines) -> str | None:
    """Return a hint with the path nearest to a wrong one, or with what stands around it."""
    parts = path.split("/")
    if end := known.ending(path):
        return f"did you mean `{end}`?"
    if depth := known.deepest(parts[:-1]):
        start, rest = f"{'/'.join(parts[:depth])}/", "/".join(parts[depth:])
        if near := nearest(rest, known.inside(start)):
            return f"did you mean `{start}{near}`?"
        names: dict[str, None] = {}
        for inner in itertools.islice(known.inside(start), _MOST_READ):
            names[inner.partition("/")[0]] = None
            if len(names) > _MOST_NAMED:
                break
        more = ", ..." if len(names) > _MOST_NAMED else ""
        return f"`{start[:-1]}` has {', '.join([*names][:_MOST_NAMED])}{more}"
    near = nearest(path, known.inside(""))
    return f"did you mean `{near}`?" if near else None
