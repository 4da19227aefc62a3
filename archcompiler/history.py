"""What patches made of a layer or a branch, step by step: what it was, and who changed it since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from archcompiler.source import Entry
from archcompiler.spec import Branch, Layer, Patch

Written = TypeVar("Written", Layer, Branch)


def of_template(written: Written) -> Written:
    """Return what the patches of templates alone made."""
    while written.before and not written.before[1].path.startswith("blocks/"):
        written = written.before[0]
    return written


def of_repeated(layer: Layer) -> Layer:
    """Return what a copy of a repeated layer was before patches of this copy alone."""
    while layer.before and not layer.before[0].repeat and "repeat" not in layer.before[1].entries:
        layer = layer.before[0]
    return layer


def earlier(layer: Layer) -> list[Layer]:
    """Return what a layer was before each patch that set something of it, the first in front."""
    found = []
    while layer.before and layer.before[1].verb == "set":
        layer = layer.before[0]
        found.append(layer)
    return found[::-1]


def origin(written: Written) -> Written:
    """Return what was first written there, or took the place of what was."""
    while written.before and written.before[1].verb == "set":
        written = written.before[0]
    return written


def changes(written: Written) -> list[Patch]:
    """Return the patches that set something of it since, in the order in which they did."""
    found = []
    while written.before and written.before[1].verb == "set":
        written, patch = written.before
        found.append(patch)
    return found[::-1]


def said(layer: Layer, key: str) -> list[Entry]:
    """Return who says a key, the last of which won; null takes back."""
    entries = [origin(layer).node.entries, *(patch.entries for patch in changes(layer))]
    return [own[key] for own in entries if key in own]


def renames(layer: Layer) -> Iterator[tuple[str, Patch]]:
    """Yield what a layer was called, and the patch that named it otherwise, the last in front."""
    while layer.before and layer.before[1].verb == "set":
        layer, patch = layer.before
        if "name" in patch.entries and layer.name:
            yield layer.name.text, patch
