"""What a patch addresses and is not there: what took it away, and what was probably meant."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from archcompiler.errors import Row, nearest
from archcompiler.spec import Spec, removed
from archcompiler.targets import SECTIONS, find
from archcompiler.texts import Texts
from archcompiler.validate import TOP

MOST_NAMED = 6
"""So many names of what there is are listed in a hint."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Looks for paths that name nothing in a spec; `away` is what patches took, by path."""

    spec: Spec
    away: Mapping[str, Row]

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
        places, parts = Texts(self.spec), path.split("/")
        around = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        known = (a for one in around for a in (one, *places.of(one)) if a in self.away)
        address = next(known, None)
        if address is None:
            return None
        row = self.away[address]
        return row if address == path else dataclasses.replace(row, value=address)

    def meant(self, path: str, known: Collection[str]) -> str | None:
        """Return a hint with what was probably meant; `known` are paths that patches can have."""
        spec, (first, *rest) = self.spec, path.split("/")
        if first == "heads" and not rest and spec.heads:
            return f"a head goes by its name, as `{spec.heads[0].name}`"
        if first == "blocks" and not rest and spec.blocks:
            return f"say which block, as `blocks/{next(iter(spec.blocks))}`"
        if first in TOP and first not in (*SECTIONS, "blocks"):
            return f"`{first}` is no layer: a variant says its own, `{first}:` beside `patch:`"
        if first in spec.blocks:
            return f"the block is `blocks/{path}`, and its uses have names of their own"
        if first in SECTIONS and "/".join(rest) in known:
            return f"paths do not name the section: `{'/'.join(rest)}`"
        target = find(spec, path.split("/"))
        if target and target.keys and target.path != path:
            return f"an attribute stands beside the path: `{target.patch}`"
        return _near(path, known)


def _near(path: str, known: Collection[str]) -> str | None:
    """Return a hint with the path nearest to a wrong one, or with what stands around it."""
    parts = path.split("/")
    ends = [p for p in known if p.lower().endswith(f"/{path.lower()}")]
    if ends:
        return f"did you mean `{ends[0]}`?"
    for depth in range(len(parts) - 1, 0, -1):
        start, rest = f"{'/'.join(parts[:depth])}/", "/".join(parts[depth:])
        inside = [p.removeprefix(start) for p in known if p.startswith(start)]
        if inside:
            if near := nearest(rest, inside):
                return f"did you mean `{start}{near}`?"
            names = [*dict.fromkeys(p.partition("/")[0] for p in inside)]
            more = ", ..." if len(names) > MOST_NAMED else ""
            return f"`{start[:-1]}` has {', '.join(names[:MOST_NAMED])}{more}"
    near = nearest(path, known)
    return f"did you mean `{near}`?" if near else None
