"""What a layer was called before patches gave it, or its copies, other names."""

from __future__ import annotations

from archcompiler.paths import Former
from archcompiler.spec import Layer, Past

MOST_NAMES = 64
"""So many names a layer may have had."""


def template_name(layer: Layer) -> str:
    """Return what its template calls a layer, whatever patches of its own call it."""
    first = _first_own(layer)
    name = layer.name.text if layer.name else ""
    return name if first is None else _text(first, layer) or first.text


def is_repeated_by_template(layer: Layer) -> bool:
    """Tell of a copy whether there are copies in its template, too."""
    first = _first_own(layer)
    return first is None or first.repeated or first.of_copy


def former(
    layer: Layer, *, templates: bool | None, last: int = -1, alone: bool = False
) -> list[Former]:
    """Return the names that held beyond the order `last`, oldest first.

    By patches of templates, of its own, or by both in their order where that is None. What is said
    of a copy `alone` is not what was said of the layer before there were copies.
    """
    found = []
    for past in layer.past:
        kind = templates is None or past.by_template == templates
        whole = alone and not past.repeated and not past.of_copy
        if past.until > last and kind and not whole and (text := _text(past, layer)):
            found.append(Former(text, past.until))
    return sorted(found, key=lambda one: one.until)


def _first_own(layer: Layer) -> Past | None:
    return next((past for past in layer.past if not past.by_template), None)


def _text(past: Past, layer: Layer) -> str:
    """Return a former name of a layer, or of this copy of it; empty where it was no copy's."""
    if not past.repeated:
        return past.text
    return f"{past.text}_{layer.copy}" if layer.copy else ""
