"""Lays JSON out for people: on one line what fits, else as many parts a line as fit."""

from __future__ import annotations

import json

WIDTH = 100


def json_text(value: object) -> str:
    """Write plain values as ASCII JSON with a line end; the same value gives the same text."""
    return _text(value, 0, WIDTH) + "\n"


def _text(value: object, indent: int, room: int) -> str:
    flat = json.dumps(value, allow_nan=False)
    if len(flat) <= room or not value or not isinstance(value, dict | list):
        return flat
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    parts = value.items() if isinstance(value, dict) else (("", part) for part in value)
    lines: list[str] = []
    open_line = False
    for key, part in parts:
        label = f"{json.dumps(key)}: " if isinstance(value, dict) else ""
        text = label + _text(part, indent + 1, WIDTH - indent - 2 - len(label)) + ","
        fits = open_line and indent + len(lines[-1]) + len(text) + 2 <= WIDTH and "\n" not in text
        if fits:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
        # A list's mappings stand on lines of their own.
        open_line = "\n" not in text and not (isinstance(part, dict) and not label)
    pad = "\n" + " " * (indent + 1)
    return opening + pad + pad.join(lines)[:-1] + "\n" + " " * indent + closing
