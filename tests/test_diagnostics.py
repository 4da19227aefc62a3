"""Diagnostics in their four formats, whatever a spec holds."""

from __future__ import annotations

import io
import json
import re

import pytest

from archcompiler.diagnostics import WIDTH, Format, render, show, wants_color
from archcompiler.errors import ArchcError, Diagnostic, Report, Row, in_file_order
from archcompiler.position import Position, Source

LINE = "  - {conv: 96, kernel: 3, stride: 2}"
HOSTILE = "a\x1b]0;gone\x07\nb\r\x85\u2028\u202ec\u200b"


def at(line: str, column: int, name: str = "net.yaml") -> Position:
    return Position(Source(name, f"first\n{line}\nlast"), 2, column)


def wrong(position: Position | None = None, **more: object) -> Diagnostic:
    return Diagnostic(code="E402", message="no fit", position=position, **more)  # type: ignore[arg-type]


def full(*diagnostics: Diagnostic) -> list[str]:
    return render(diagnostics, "full").splitlines()


def test_full() -> None:
    rows = (
        Row(label="Mixed/Branch_0", value="17x17x384", position=at(LINE, 1)),
        Row(label="Mixed/B", value="1x1", position=at(LINE, 1)),
        Row(label="input"),
    )
    assert full(wrong(at(LINE, 14), rows=rows, hint="pad less")) == [
        "net.yaml:2:14: error[E402] no fit",
        "   |   2 |   - {conv: 96, kernel: 3, stride: 2}",
        "   |                    ^",
        "   Mixed/Branch_0  17x17x384   net.yaml:2",
        "   Mixed/B         1x1         net.yaml:2",
        "   input",
        "   hint: pad less",
    ]


def test_rows_without_values() -> None:
    row = Row(label="first", position=at(LINE, 1))
    assert full(wrong(None, rows=(row,))) == ["error[E402] no fit", "   first   net.yaml:2"]


def test_note() -> None:
    note = Diagnostic(code="E406", message="other", position=at("x", 1), severity="note")
    assert full(note)[0] == "net.yaml:2:1: note[E406] other"
    assert render([note], "github").startswith("::notice file=net.yaml")


@pytest.mark.parametrize("column", [1, 2, 30, 60, 71, 72, 100, 150, 190, 199, 200, 201])
def test_long_lines_are_cut_around_the_caret(column: int) -> None:
    line = "".join(chr(33 + n % 90) for n in range(200))
    _, source, caret = full(wrong(at(line, column)))
    assert len(source) <= WIDTH
    assert len(caret) <= WIDTH
    marked = source[len(caret) - 1 :][:1]
    assert marked == line[column - 1 : column]
    context = source.replace("   |   2 | ", "").removeprefix("...").removesuffix("...")
    assert context in line
    assert len(context) > 60


@pytest.mark.parametrize("column", [1, 30, 70, 90, 99])
def test_long_lines_of_wide_characters_are_cut(column: int) -> None:
    line = "".join(chr(0x4E00 + n) for n in range(100))
    _, source, caret = full(wrong(at(line, column)))
    marked = source.index(line[column - 1])
    assert len(caret) - 1 == marked + sum(c > "\u4dff" for c in source[:marked])
    assert len(source) + sum(c > "\u4dff" for c in source) <= WIDTH


@pytest.mark.parametrize("length", range(60, 76))
def test_only_lines_that_do_not_fit_are_cut(length: int) -> None:
    _, source, _ = full(wrong(at("x" * length, 3)))
    room = WIDTH - len("   |   2 | ")
    assert source.endswith("...") == (length > room)
    assert len(source) == WIDTH - room + min(length, room)


def test_caret_under_wide_and_escaped_characters() -> None:
    wide, combining = "畳", "e\u0301"
    for before, cells in ((wide, 2), (combining, 1), ("\x1b", 4), ("\t", 2), ("\u202e", 6)):
        _, source, caret = full(wrong(at(f"{before}x", len(before) + 1)))
        assert source.endswith("x")
        assert len(caret) == len("   |   2 | ") + cells + 1, before


def test_columns_beyond_the_line() -> None:
    _, source, caret = full(wrong(at("abc", 4)))
    assert len(caret) == len(source) + 1
    assert len(full(wrong(at("", 1)))) == 1
    assert len(full(wrong(Position(Source("net.yaml", "one"), 9, 9)))) == 1


def test_line_ends_of_yaml() -> None:
    source = Source("net.yaml", "1\r\n2\r3\n4\x855\u20286\u20297")
    assert [source.line(n) for n in range(1, 9)] == ["1", "2", "3", "4", "5", "6", "7", ""]
    assert [str(source.at(i))[9:] for i in (0, 3, 5, 13)] == ["1:1", "2:1", "3:1", "7:1"]


def test_hints_wrap_but_not_inside_backticks() -> None:
    pasted = "`defaults: {conv: {padding: same, norm: batch_norm, activation: relu}}`"
    hint = f"some words that fill the line until the room left is small, then {pasted}, or a-b"
    lines = full(wrong(None, hint=hint))[1:]
    assert lines[0].startswith("   hint: some words")
    assert any(pasted in line for line in lines)
    assert all(line.startswith("         ") for line in lines[1:])
    assert " ".join(" ".join(lines).split()) == f"hint: {hint}"
    assert all(len(line) <= WIDTH or pasted in line for line in lines)


def test_at_most_twenty_for_people_all_for_programs() -> None:
    many = [wrong(at(LINE, n)) for n in range(1, 26)]
    assert render(many[:20], "concise").count("\n") == 19
    assert render(many, "concise").splitlines()[20:] == ["... and 5 more"]
    assert full(*many)[-1] == "... and 5 more"
    assert len(render(many, "github").splitlines()) == 25
    assert len(json.loads(render(many, "json"))) == 25


def test_a_room_stops_after_two_hundred_errors() -> None:
    report = Report()
    report.note("E406", "no error", None)
    for n in range(1, 199):
        report.error("E201", "wrong", at(LINE, n))
    with pytest.raises(ArchcError) as raised:
        report.error("E201", "wrong", at(LINE, 999))
    assert len(raised.value.diagnostics) == 200


def test_one_mistake_of_a_block_is_one_error() -> None:
    place = at(LINE, 3)
    found = [wrong(place, hint="first"), wrong(place, hint="again"), wrong(at(LINE, 2)), wrong()]
    assert [d.hint for d in in_file_order(found)] == [None, None, "first"]


def test_concise() -> None:
    found = [wrong(at(LINE, 3), hint="h", rows=(Row(label="r"),)), wrong()]
    assert render(found, "concise") == "net.yaml:2:3: error[E402] no fit\nerror[E402] no fit"


def test_json() -> None:
    row = Row(label="a", value="1x1", position=at(LINE, 5, "other.yaml"))
    found = [wrong(at(LINE, 3), rows=(row,), hint="h"), wrong()]
    assert json.loads(render(found, "json")) == [
        {
            "code": "E402",
            "severity": "error",
            "message": "no fit",
            "file": "net.yaml",
            "line": 2,
            "column": 3,
            "rows": [{"label": "a", "value": "1x1", "file": "other.yaml", "line": 2, "column": 5}],
            "hint": "h",
        },
        {
            "code": "E402",
            "severity": "error",
            "message": "no fit",
            "file": None,
            "line": None,
            "column": None,
            "rows": [],
            "hint": None,
        },
    ]
    assert render([], "json") == "[]"


def test_github() -> None:
    row = Row(label="a", value="100%", position=at(LINE, 5))
    found = wrong(at(LINE, 3, "a,b:c%.yaml"), rows=(row,), hint="x::y")
    assert render([found], "github") == (
        "::error file=a%2Cb%3Ac%25.yaml,line=2,col=3,title=E402::"
        "no fit%0Aa  100%25   net.yaml:2%0Ahint: x::y"
    )
    assert render([wrong()], "github") == "::error title=E402::no fit"


@pytest.mark.parametrize("form", ["full", "concise", "json", "github"])
def test_no_spec_drives_a_terminal_or_a_log(form: Format) -> None:
    attack = f"{HOSTILE}\n::stop-commands::x\n::add-mask::y"
    found = Diagnostic(
        code="E201",
        message=attack,
        position=Position(Source(attack, f"{HOSTILE}\n"), 1, 4),
        rows=(Row(label=attack, value=attack, position=Position(Source(attack), 1, 1)),),
        hint=attack,
    )
    text = render([found], form)
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert not re.search(r"^::(?!error file=)", text, re.MULTILINE)
    if form in ("concise", "github"):
        assert "\n" not in text


@pytest.mark.parametrize(
    "name", ["::stop-commands::x.yaml", "##[add-mask].yaml", "##vso[a.b].yaml", " ::x.yaml"]
)
@pytest.mark.parametrize("form", ["full", "concise"])
def test_no_name_of_a_file_is_a_command_to_a_log(form: Format, name: str) -> None:
    found = wrong(at(LINE, 3, name), rows=(Row(label="##VSO[x]", position=at(LINE, 5, name)),))
    text = render([found], form)
    assert not re.search(r"^\s*::|##\w*\[", text, re.MULTILINE)
    assert "x3a:" in text or "x23" in text


def test_show() -> None:
    assert show("a b é 畳 😀") == "a b é 畳 😀"
    assert show(HOSTILE) == r"a\x1b]0;gone\x07\nb\r\x85\u2028\u202ec\u200b"
    assert show("\t\u00a0\ufeff\udc80") == r"\t\xa0\ufeff\udc80"


def test_color_only_where_asked() -> None:
    found = [wrong(at(LINE, 3), hint="h")]
    colored = render(found, "full", color=True)
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[\d+m", "", colored) == render(found, "full")
    assert "\x1b[" in render(found, "concise", color=True)
    assert "\x1b" not in render(found, "json", color=True) + render(found, "github", color=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_who_wants_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert wants_color(Terminal())
    assert not wants_color(io.StringIO())
    assert not wants_color(None)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_color(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_color(Terminal())
