"""Patches of what stands at the top of a spec: sections, heads, and templates themselves."""

from __future__ import annotations

import dataclasses

from archcompiler import rewrite
from archcompiler.edits import Edits
from archcompiler.source import Entry
from archcompiler.spec import Block, Head, Layer, Name, Patch, Spec
from archcompiler.validate import HEAD_KEYS


def roots(edits: Edits, spec: Spec) -> Spec:
    """Apply the patches that address sections, heads and templates themselves."""
    sections = {"stem": spec.stem, "body": spec.body}
    before: dict[str, tuple[Patch, ...]] = {}
    blocks, heads = dict(spec.blocks), {head.name.text: head for head in spec.heads}
    for patch in edits.patches:
        first, _, rest = patch.path.partition("/")
        if patch.path in sections:
            sections[patch.path] = _section(edits, sections[patch.path], patch)
        elif first == "blocks" and rest in blocks:
            blocks[rest] = _template(edits, blocks[rest], patch)
        elif patch.path in heads:
            head = _head(edits, heads.pop(patch.path), patch, before.get(patch.path, ()))
            heads |= {patch.path: head} if head else {}
            before[patch.path] = (*before.get(patch.path, ()), patch)
    order = [head.name.text for head in spec.heads]
    kept = [heads[name] for name in order if name in heads]
    stem, body = sections["stem"], sections["body"]
    parts = (*(head.node for head in kept), *(block.node for block in blocks.values()))
    for node in (stem.node, body.node, *parts):
        edits.overwritten.keep(node)
    return dataclasses.replace(spec, blocks=blocks, heads=tuple(kept), stem=stem, body=body)


def _section(edits: Edits, layer: Layer, patch: Patch) -> Layer:
    hint = f"write it anew: `{patch.path}: [...]`"
    if patch.verb in ("before", "after") and (name := _at_end(layer, patch.verb)):
        hint = f"address a layer in it: `{{{patch.verb}: {name}, insert: [...]}}`"
    if not _may(edits, patch, edits.born[patch.path], ("set",), "a section", hint):
        return layer
    if "layers" in patch.entries:
        edits.born[patch.path] = patch.order
        edits.missing.lose(patch.path, patch.order, patch)
    entry = Entry(patch.path, layer.position, edits.over(layer.node, patch))
    found = edits.reading.checked(patch, entry.node, lambda v: v.section(entry))
    return dataclasses.replace(found, before=(layer, patch)) if found else layer


def _at_end(layer: Layer, verb: str) -> Name | None:
    """Return the name of the first layer of a list, or of the last, if it has one."""
    end = layer.layers[:1] if verb == "before" else layer.layers[-1:]
    return end[0].name if end and not end[0].repeat else None


def _template(edits: Edits, block: Block, patch: Patch) -> Block:
    hint = f"write it anew: `blocks: {{{block.name}: ...}}`"
    if patch.verb == "remove":
        hint = f"write `blocks: {{{block.name}: null}}`"
    if not _may(edits, patch, edits.born[patch.path], ("set",), "a block", hint):
        return block
    node = edits.over(block.node, patch, ("params",))
    entry = Entry(block.name.text, block.name.position, node)
    edits.told.note(block.layer, patch)
    found = edits.reading.checked(patch, node, lambda v: v.block(entry))
    if found is None:
        return block
    fresh = edits.fresh(block.layer, patch, True)
    layer = dataclasses.replace(found.layer, fresh=fresh, before=(block.layer, patch))
    return dataclasses.replace(found, layer=layer)


def _head(edits: Edits, head: Head, patch: Patch, before: tuple[Patch, ...]) -> Head | None:
    part = f"heads/{head.name}"
    hint = "add one under `heads:`"
    if patch.verb == "before" and (name := _at_end(head.layer, "before")):
        hint = f"address a layer in it: `{{before: {patch.path}/{name}, insert: [...]}}`"
    if not _may(edits, patch, edits.born[part], ("set", "replace", "remove"), "a head", hint):
        return head
    if patch.verb != "set":
        edits.born[part] = patch.order
        edits.missing.take(patch, before, kept=("from", *HEAD_KEYS))
    if patch.verb == "remove":
        edits.overwritten.take(head.node, patch)
        return None
    if patch.verb == "set" and not {"layers", "branches"}.isdisjoint(patch.entries):
        edits.born[part] = patch.order
        edits.missing.lose(f"{patch.path}/", patch.order, patch)
    node = rewrite.keyed(head.node, patch, edits.report, head=True)
    edits.overwritten.note(head.node, patch, node)
    entry = Entry(head.name.text, head.name.position, node)
    found = edits.reading.checked(patch, node, lambda v: v.head(entry))
    if found is None:
        return head
    layer = dataclasses.replace(found.layer, before=(head.layer, patch))
    return dataclasses.replace(found, layer=layer)


def _may(
    edits: Edits, patch: Patch, born: int, verbs: tuple[str, ...], what: str, hint: str
) -> bool:
    """Tell whether a patch comes after its target, and refuse a verb that cannot be."""
    if patch.order <= born:
        return False
    edits.used.add(patch.order)
    if patch.verb in verbs:
        return True
    message = f"`{patch.path}` is {what}, which `{patch.verb}` cannot address"
    edits.refuse(patch, message, hint)
    return False
