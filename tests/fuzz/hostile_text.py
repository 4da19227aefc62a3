"""Puts hostile text wherever a spec, a name of a file or a command line takes a word.

The word goes to every command, and comes back in every format. Whatever archc makes of it must be
an error or a build, each of which every parser reads, and nothing else may happen.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import random
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import rendered
from mutate import copied, places, plain
from stand_ins import imported
from told import told
from trial import ROOT, Wrong, clock, scratch
from watch import watch

from archcompiler import source
from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_node
from archcompiler.diagnostics import FORMATS
from archcompiler.escape import show
from archcompiler.overrides import parse_assignment
from archcompiler.yaml_writer import to_yaml

STRINGS = ROOT / "tests/cases/hostile/strings.json"
FIELDS = Path(__file__).with_name("fields.yaml")
SMALL: dict[str, Any] = {
    "archc": 1,
    "name": "small",
    "input": "8x8x3",
    "params": {"act": "relu"},
    "stem": {"conv": 4, "kernel": 3, "padding": "same", "activation": "$act", "name": "a"},
    "body": [],
    "heads": {"Logits": ["global_avg_pool", {"dense": 10, "name": "fc"}]},
}
"""What text that is free is built with: more layers would hold no more of it."""
ALPHABET = (
    "\0\x1b\r\n\t\x85\u2028\u202e\ufeff\\\"'`{}[]()<>#%:|*&!$~@=;,. -_+/abceiostxyz09\xe9\u754c"
)
BACKENDS = ("torch", "tensorflow")
PATHS = (
    "Mixed/Left/flat.kernel",
    "Conv_1",
    "blocks/cell",
    "defaults.conv.padding",
    "width",
    "body",
)

COMMANDS: tuple[tuple[str, ...], ...] = (
    *(("check", "{spec}", "--format", form) for form in FORMATS),
    *(("check", "{spec}", "{change}", "--format", form) for form in FORMATS),
    ("check", "{text}", "--format", "github"),
    ("check", "{spec}", "--input", "11..12"),
    ("check", "{spec}", "--input", "{text}"),
    ("summary", "{spec}", "{change}"),
    ("resolve", "{spec}"),
    ("resolve", "{spec}", "{change}"),
    ("resolve", "{spec}", "--format", "json"),
    ("diff", "fields.yaml", "{spec}"),
    ("diff", "{spec}", "fields.yaml", "--format", "json"),
    ("explain", "{spec}", "{path}"),
    ("explain", "fields.yaml", "{text}"),
    ("explain", "{text}"),
    ("lock", "{spec}"),
    ("new", "new.yaml", "--from", "{spec}"),
    ("new", "{text}", "--from", "fields.yaml"),
    ("build", "{spec}", "--check", "-b", "torch", "-o", "out"),
    ("{text}", "{spec}"),
)
"""Commands, and where the words go; `{change}` is an assignment with the text, or nothing."""


def hostile(draw: random.Random) -> str:
    """Return one of the known texts, several of them, or one of odd characters."""
    if draw.random() < 0.5:
        return "".join(draw.choices(ALPHABET, k=draw.randrange(1, 60)))
    return "".join(draw.choices(_known(), k=draw.randint(1, 3)))


def strings(draw: random.Random, _: list[str]) -> tuple[bytes, str]:
    """Put hostile text into one place of a spec, or into all free ones, and give it to archc."""
    text = hostile(draw)
    free = draw.random() < 0.5
    if free:
        document = {**copied(SMALL), "summary": text, "x-author": text}
    else:
        document = copied(_fields())
        _put(document, text, draw)
    written = to_yaml(document)
    with scratch() as folder, watch().held_to(folder) as seen, clock():
        if free and draw.random() < 0.7:
            _built(written, text, draw)
        else:
            _told(written, text, draw, folder)
    if seen:
        raise Wrong(f"it did {seen[0]}")
    return written.encode(), "good"


def _put(document: Any, text: str, draw: random.Random) -> None:
    holder, key = draw.choice(places(document))
    if isinstance(holder, dict) and draw.random() < 0.4:
        entries = [(text if k == key else k, v) for k, v in holder.items()]
        holder.clear()
        holder.update(entries)
    else:
        holder[key] = draw.choice(("{}", "{}", "${}", "$width + {}", "a/{}")).format(text)


def _built(written: str, text: str, draw: random.Random) -> None:
    """Build, through the gate, and import what was built; every document must have the text."""
    name = f"{text}.yaml"
    changes = (parse_assignment(f"act=tanh # {_line(text)}"),) if draw.random() < 0.5 else ()
    network = compile_node(source.parse(written, name), changes, source=name).network
    # A base may have parameters that nothing reads, a spec may not.
    network = dataclasses.replace(network, params={**network.params, "word": text.lstrip("$")})
    framework = draw.choice(BACKENDS)
    files = emit(network, backend(framework))
    doc = ast.get_docstring(ast.parse(files["model.py"].encode()), clean=False)
    folded = " ".join(text.split())
    if not " ".join(str(doc).split()).startswith(folded.replace('"', "'")):
        raise Wrong(f"the docstring is {doc!r}")
    document = json.loads(files["architecture.json"])
    if (document["summary"], document["source"]) != (folded, name):
        raise Wrong("architecture.json has another summary, or another source")
    _card(files["README.md"], framework, folded)
    module = imported(files)["model"]
    if module.__doc__ != doc or module.INPUT_SHAPE not in ((8, 8, 3), (3, 8, 8)):
        raise Wrong("an imported module is not what its text says")


def _told(written: str, text: str, draw: random.Random, folder: Path) -> None:
    """Run one command; look at its exit code, at all that it prints, and at what it leaves."""
    spec = draw.choice((_file(text), "spec.yaml"))
    Path(spec).write_text(written, "utf-8")
    shutil.copy(FIELDS, "fields.yaml")
    change = draw.choice((f"{draw.choice(PATHS)}={text}", f"{text}=3", f"num_classes={text}"))
    text = "" if os.path.exists(text) else text  # whoever names a file has it read
    words = {"spec": spec, "text": text, "path": draw.choice(PATHS), "change": change}
    command = [word.format(**words) for word in draw.choice(COMMANDS)]
    told([word.replace("\0", "") for word in command])
    for left in os.listdir(folder):
        if left in (spec, "fields.yaml"):
            continue
        if command[0] not in ("new", "lock") or not left.endswith((".yaml", ".lock")):
            raise Wrong(f"{command} leaves {left!r}")
        source.load(folder / left)


def _card(card: str, framework: str, folded: str) -> None:
    """Check that a card has its summary, as text, the markup of any card, and whole tables."""
    if rendered.summary(card) != (show(folded) or "small, built by archc"):
        raise Wrong(f"the card has another summary: {rendered.summary(card)!r}")
    if rendered.markup(card) != _markup(framework):
        raise Wrong("the card has markup that is not its template's")
    for table in re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        if len(cells) > 1:
            raise Wrong(f"a table of the card has rows of {sorted(cells)} cells")


def _line(text: str) -> str:
    """Return the text without what ends a line or is refused anywhere in YAML."""
    return re.sub(r"[\0-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", "", text)


def _file(text: str) -> str:
    """Return a name of a file with as much of the text as names may hold."""
    name = re.sub(r"[/\0]", "", text).encode()[:200].decode("utf-8", "ignore")
    return f"{name}.yaml"


@cache
def _fields() -> Any:
    return plain(source.parse(FIELDS.read_text("utf-8"), "fields.yaml"))


@cache
def _markup(framework: str) -> list[str]:
    network = compile_node(source.parse(to_yaml(SMALL), "a.yaml"), source="a.yaml").network
    return rendered.markup(emit(network, backend(framework))["README.md"])


@cache
def _known() -> list[str]:
    found: list[str] = json.loads(STRINGS.read_text("utf-8"))
    return found
