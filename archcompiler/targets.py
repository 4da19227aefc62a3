"""What somebody meant to change: a layer's path and an attribute, however the two were joined."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from archcompiler.errors import Diagnostic
from archcompiler.op import attributes
from archcompiler.ops import BY_KEY
from archcompiler.overrides import COMMAND_LINE, MOST_DOTS
from archcompiler.source import MAX_DEPTH
from archcompiler.spec import COMMON, Spec
from archcompiler.texts import Text, Texts
from archcompiler.validate import HEAD_KEYS, TOP, VERBS

SECTIONS = ("stem", "body", "heads")
_SIGNS = re.compile(r"[/.:\[\]]+")


@dataclass(frozen=True, slots=True)
class Target:
    """A path, and the keys that lead to a value of what is there, as `with` and `mid`."""

    path: str
    keys: tuple[str, ...]

    @property
    def patch(self) -> str:
        """Return the patch that sets it."""
        inner = "..."
        for key in reversed(self.keys[1:]):
            inner = f"{{{key}: {inner}}}"
        return f"{{set: {self.path}, {self.keys[0]}: {inner}}}"


def find(places: Texts, words: Sequence[str]) -> Target | None:
    """Return what words mean that name a layer, then an attribute; None where they do not.

    Empty words are left out, as between the slashes of `blocks//cell`. Nothing has more than 64
    words for its path, and 16 for what stands behind.
    """
    words = [word for word in words if word]
    addresses = [*places.along(words[:MAX_DEPTH])]
    for end in range(len(addresses), 0, -1):
        path = "/".join(words[:end])
        there = [places.written[a] for a in reversed(addresses[end - 1]) if a in places.written]
        if there and len(words) - end <= MOST_DOTS:
            keys = _keys(places.spec, path, there[0], [*words[end:]])
            return Target(path, keys) if keys is not None else None
    return None


def _keys(spec: Spec, path: str, there: Text, rest: list[str]) -> tuple[str, ...] | None:
    """Return the keys that are meant by what stands behind a path; none where that is open."""
    layer = there.layer
    if layer is None:
        return None
    if there.what == "block":
        own = {"params": spec.blocks[path.partition("/")[2]].params}
    else:
        own = {"with": spec.blocks[layer.block.text].params} if layer.block else {}
        own = own if layer.block is None or layer.block.text in spec.blocks else {}
    for word, params in own.items():
        if not rest and len(params) == 1:
            return (word, *params)
        if rest and rest[0] in params:
            return (word, rest[0])
        if len(rest) == 2 and rest[0] == word:
            return (word, rest[1])
    op = BY_KEY.get(layer.key)
    if op and op.main and (not rest or rest == [op.main]):
        return (op.key,)
    known = {*COMMON, *((op.key, *attributes(op)) if op else ())}
    known |= {*HEAD_KEYS} if there.what == "head" else set()
    if there.what in ("block", "section"):
        known = {"defaults"}
    return tuple(rest) if not rest or rest[0] in known else None


def told(found: Diagnostic, spec: Spec) -> Diagnostic:
    """Say in an error of an assignment which form of it works, where its words tell."""
    at = found.position
    if at is None or at.source.name != COMMAND_LINE or found.code not in ("E310", "E201"):
        return found
    hint = _assignment(spec, *at.source.text.partition("=")[::2])
    return dataclasses.replace(found, hint=hint) if hint else found


def _assignment(spec: Spec, target: str, value: str) -> str | None:
    """Return a hint with the assignment that was meant, or with what a file says instead."""
    words = [word for word in _SIGNS.split(target) if word]
    if not words:
        return None
    first, *rest = words
    if first == "params" and len(rest) == 1 and rest[0] in spec.params:
        return f"write `{rest[0]}={value}`"
    verb = next((word for word in words if word in VERBS[1:]), None)
    if verb:
        return f"only a file can {verb}: a variant, by `patch: [{{{verb}: PATH}}]`"
    if not rest and first in TOP:
        return f"only a file says its `{first}`"
    if first == "defaults" or (first in BY_KEY and rest):
        shown = ".".join(("defaults", *(rest if first == "defaults" else words)))
        return f"a section has defaults: `body.{shown}={value}`; the spec's own are for its file"
    inner = rest if first in SECTIONS and rest else words
    if value in ("", "null") and inner in [[head.name.text] for head in spec.heads]:
        return f"only a file removes a head: a variant, by `heads: {{{inner[0]}: null}}`"
    if inner is rest and inner[0] in BY_KEY:
        return f"a section has defaults: `{first}.defaults.{inner[0]}.padding=same`"
    having = [key for key, op in BY_KEY.items() if inner[0] in attributes(op)]
    if inner is rest and having:
        return f"a section has defaults: `{first}.defaults.{having[0]}.{inner[0]}={value}`"
    places = Texts(spec)
    meant = find(places, inner)
    if meant:
        shown = ".".join((meant.path, *(meant.keys or ("end_point",))))
        block = spec.blocks.get(meant.path.removeprefix("blocks/"))
        if not meant.keys and block and meant.path.startswith("blocks/"):
            if block.params:
                return f"say which parameter, as `{meant.path}.params.{next(iter(block.params))}=3`"
            return f"a block has defaults: `{meant.path}.defaults.conv.padding=same`"
        if not meant.keys:
            return f"say which attribute of the layer, as `{shown}=true`"
        return f"write `{shown}={value}`" if shown != target else None
    if inner is rest and find(places, inner[:1]):
        return f"paths do not name the section: begin with `{rest[0]}`"
    return None
