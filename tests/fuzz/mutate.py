"""Breaks specs at random: their bytes, tokens, words and lines, and their structure."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

from archcompiler import source
from archcompiler.yaml_writer import to_yaml

TOKEN = re.compile(r"[A-Za-z0-9_$.]+|\s+|.", re.DOTALL)
WORDS = (
    "conv", "cnov", "dense", "max_pool", "avg_pool", "add", "concat", "layers", "branches",
    "block", "with", "from", "name", "kernel", "stride", "padding", "same", "valid", "repeat",
    "expect", "extends", "inception_v3", "patch", "set", "replace", "remove", "before", "after",
    "by", "insert", "blocks/inception_a", "Mixed_6a", "params",
    "split", "join", "defaults", "null", "true", "~", "none", "0", "1", "-1", "3", "1e9", "1e999",
    ".nan", ".inf", "0x3", "3x3", "1x7", "99999999999", "$", "$n", "$in_channels // 0", "$width",
    "input", "output", "heads", "stem", "body", "*a", "&a", "!x", "<<", "?", "|", ">", "---", "...",
    "%YAML 1.2", "#", "'", '"', "[", "]", "{", "}", ",", ":", "- ", "\t", "\n", "\r", "\0", "\x1b",
    "\x85", "\u2028", "\ufeff", "\u202e", "\U0001f600", "class", "aux", "__init__", "../../a",
    "a" * 99,
)  # fmt: skip
WORD = re.compile(r"[A-Za-z0-9_$.]+")
PLAIN = tuple(word for word in WORDS if WORD.fullmatch(word))
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 2**31, 2**63, 10**300, 0.5, -0.0, float("inf"), "",
    "x", "3x3", "$n", "$in_channels", "$1 / 0", "map", "same", "none", "input", "Logits", [], {},
    [1, 2, 3, 4], [[[[]]]], {"conv": 8}, {"a": {"b": {"c": None}}}, "\x1b[2J", "a" * 70, "a/b",
)  # fmt: skip


def mutated(text: str, draw: random.Random) -> bytes:
    """Return a spec with one to four mutations of one kind."""
    return draw.choice((_bytes, _tokens, _words, _words, _lines, _structure))(text, draw)


def _bytes(text: str, draw: random.Random) -> bytes:
    data = bytearray(text.encode())
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        end = min(len(data), at + draw.choice((1, 1, 1, 8, 200)))
        match draw.randrange(5):
            case 0:
                data[at:end] = draw.randbytes(end - at)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end] * draw.choice((1, 2, 50))
            case 3 if at < len(data):
                data[at] ^= 1 << draw.randrange(8)
            case _:
                data[at:at] = draw.choice(WORDS).encode()
    return bytes(data)


def _tokens(text: str, draw: random.Random) -> bytes:
    tokens = TOKEN.findall(text)
    for _ in range(draw.randint(1, 4)):
        at, other = draw.randrange(len(tokens)), draw.randrange(len(tokens))
        match draw.randrange(5):
            case 0:
                tokens[at] = draw.choice(WORDS)
            case 1:
                tokens[at] = tokens[other]
            case 2:
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3:
                tokens[at] = ""
            case _:
                start, end = sorted((at, other))
                tokens[start:start] = tokens[start : min(end, start + 60)]
    return "".join(tokens).encode()


def _words(text: str, draw: random.Random) -> bytes:
    """Put words in place of words: most of what comes of it is YAML."""
    tokens = TOKEN.findall(text)
    places = [n for n, token in enumerate(tokens) if WORD.fullmatch(token)]
    for _ in range(draw.randint(1, 3)):
        at, other = draw.choice(places), draw.choice(places)
        tokens[at] = draw.choice((tokens[other], tokens[other], draw.choice(PLAIN)))
    return "".join(tokens).encode()


def _lines(text: str, draw: random.Random) -> bytes:
    """Drop, double and move lines."""
    lines = text.splitlines(keepends=True)
    for _ in range(draw.randint(1, 3)):
        at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
        line = lines[at] if draw.random() < 0.3 else lines.pop(at)
        if draw.random() < 0.6:
            lines.insert(other, line)
    return "".join(lines).encode()


def _structure(text: str, draw: random.Random) -> bytes:
    root = plain(source.parse(text, "spec"))
    for _ in range(draw.randint(1, 3)):
        _change(root, draw)
    return to_yaml(root).encode("utf-8", "replace") if isinstance(root, dict) else b""


def plain(node: source.Node) -> Any:
    """Return a node as dicts, lists and scalars."""
    if isinstance(node, source.Scalar):
        return node.value
    if isinstance(node, source.Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return each place inside of a value: what holds it, and its key or index."""
    found, rest = [], [value]
    while rest:
        holder = rest.pop()
        pairs = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, inner in pairs:
            found.append((holder, key))
            if isinstance(inner, dict | list):
                rest.append(inner)
    return found


def _change(root: Any, draw: random.Random) -> None:
    found = places(root)
    if not found:
        return
    (holder, key), (other, index) = draw.choice(found), draw.choice(found)
    changes: tuple[Callable[[], object], ...] = (
        lambda: holder.__setitem__(key, copied(draw.choice(VALUES))),
        lambda: holder.__setitem__(key, copied(other[index])),
        lambda: holder.pop(key),
        lambda: holder.__setitem__(key, [copied(holder[key])]),
        lambda: holder.__setitem__(key, {draw.choice(WORDS): copied(holder[key])}),
        lambda: _renamed(holder, key, draw.choice(WORDS)),
    )
    draw.choice(changes)()


def _renamed(holder: Any, key: Any, name: str) -> None:
    if isinstance(holder, dict):
        entries = [(name if k == key else k, v) for k, v in holder.items()]
        holder.clear()
        holder.update(entries)


def copied(value: Any) -> Any:
    """Return a copy that shares nothing, so that no value can contain itself."""
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    return [copied(v) for v in value] if isinstance(value, list) else value
