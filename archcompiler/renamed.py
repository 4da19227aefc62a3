"""What a layer was called before patches gave it, or its copies, other names."""

from __future__ import annotations

import dataclasses

from archcompiler.paths import Former
from archcompiler.source import Scalar
from archcompiler.spec import Layer, Past, Patch

MOST_NAMES = 64
"""So many names a layer may have had."""


def template_name(layer: Layer) -> str:
    """Return what its template calls a layer, whatever patches of its own call it."""
    alone = next((p for p in reversed(layer.past) if p.by_template and p.of_copy), None)
    if alone:
        return alone.to
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
    if templates is None:
        found = _in_order(_former(layer, True, alone), _former(layer, False, alone))
    else:
        found = _former(layer, templates, alone)
    return [one for one in found if one.until > last]


def _former(layer: Layer, by_template: bool, alone: bool) -> list[Former]:
    found = []
    for past in layer.past:
        whole = alone and not past.repeated and not past.of_copy
        if past.by_template == by_template and not whole and (text := _text(past, layer)):
            found.append(Former(text, past.until))
    return sorted(found, key=lambda one: one.until)


def _in_order(theirs: list[Former], own: list[Former]) -> list[Former]:
    """Return a template's names until there was an own one, which a template changes no more."""
    if not own:
        return theirs
    first = own[0].until
    before = [one for one in theirs if one.until < first]
    text = next((one.text for one in theirs if one.until >= first), own[0].text)
    return [*before, Former(text, first), *own[1:]]


def renamed(layer: Layer, patch: Patch, *, by_template: bool) -> tuple[Past, ...]:
    """Return the names that a layer had, with the one that a patch takes from it or its copies.

    A copy may have got a name of its own before all of them did: those of all had no effect then.
    """
    assert layer.name is not None
    new = patch.entries["name"].node if "name" in patch.entries else None
    to = new.text if isinstance(new, Scalar) else layer.name.text
    later = [p for p in layer.past if p.by_template == by_template and p.until > patch.order]
    kept = [p for p in layer.past if p not in later]
    if later:
        return (*kept, dataclasses.replace(later[0], until=patch.order, to=to))
    past = Past(
        text=template_name(layer) if by_template else layer.name.text,
        to=to,
        until=patch.order,
        by_template=by_template,
        repeated=layer.repeat is not None,
        of_copy=layer.copy > 0,
    )
    return (*kept, past)


def _first_own(layer: Layer) -> Past | None:
    return next((past for past in layer.past if not past.by_template), None)


def _text(past: Past, layer: Layer) -> str:
    """Return a former name of a layer, or of this copy of it; empty where it was no copy's."""
    if not past.repeated or layer.repeat:
        return past.text
    return f"{past.text}_{layer.copy}" if layer.copy else ""
