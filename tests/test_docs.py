"""The documentation is held to the code: its examples run, and print what it says.

Code blocks of `docs/*.md` by their language:

yaml      a spec that starts with `archc:` is compiled; a part of one has a comment before it that
          says where it stands, and is put there in the spec `tiny` of docs/language.md:

              <!-- spec: body -->                     what is behind `body:`, or `stem`, `heads`
              <!-- spec: top -->                      keys at the top, instead of tiny's
              <!-- spec: body, input 17x17x768 -->    with another image
              <!-- spec: body, wrong -->              it fails, with the text of the block after it
              <!-- spec: body, prints -->             its IR holds the lines of the block after it

console   commands of archc and what they print; a line `...` stands for any lines
pycon     a Python session, and python a module: both run, a page's in one namespace; python
          after <!-- emitted: torch --> is a part of what that backend gives for the page's first
          whole spec
text, sh, mermaid, toml, diff
          are read by people; sh may name commands of archc that exist

Commands and sessions find the page's whole specs as NAME.yaml. To write the texts after `wrong`
examples and those of console blocks anew, and then to read each of them:

    ARCHC_UPDATE=1 pytest tests/test_docs.py && git diff docs
"""

from __future__ import annotations

import doctest
import functools
import os
import re
import shlex
import sys
import tempfile
import textwrap
from contextlib import chdir
from itertools import zip_longest
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from pages import DOCS, LANGUAGE, READ_BY_PEOPLE, Block, on

from archcompiler import (
    compiler,
    source,
)
from archcompiler.backend import backend
from archcompiler.cli import main
from archcompiler.diagnostics import render
from archcompiler.errors import ArchcError
from archcompiler.printer import to_text

# Specs


@functools.cache
def tiny() -> str:
    return next(b.text for b in on(LANGUAGE) if "\nname: tiny\n" in b.text)


def is_whole(block: Block) -> bool:
    return block.language == "yaml" and block.text.startswith("archc:")


def document(block: Block) -> source.Node:
    """Return the spec that a block is, or is a part of; positions point into the block."""
    node = source.parse(block.text, "net.yaml")
    if is_whole(block):
        return node
    assert block.marks, f"{block}: say where it stands: <!-- spec: body -->"
    where, *rest = block.marks
    size = next((m.split()[1] for m in rest if m.startswith("input ")), "32x32x3")
    whole = source.parse(tiny().replace("input: 32x32x3", f"input: {size}"), "tiny.yaml")
    assert isinstance(whole, source.Mapping)
    entries = dict(whole.entries)
    if where == "top":
        assert isinstance(node, source.Mapping)
        entries |= node.entries
    else:
        assert where in entries, f"{block}: there is no `{where}` in a spec"
        entries[where] = source.Entry(where, node.position, node)
    return source.Mapping(entries, whole.position)


def outcome(block: Block) -> str:
    """Return the errors and notes of a block's spec as `archc check` shows them, else its IR."""
    try:
        compiled = compiler.compile_node(document(block), source="net.yaml")
    except ArchcError as error:
        return render(error.diagnostics, "full") + "\n"
    return render(compiled.notes, "full") + to_text(compiled.network)


def check_yaml(block: Block, following: Block | None) -> None:
    found = outcome(block)
    shown = following.text if following and following.language == "text" else ""
    if "wrong" in block.marks:
        assert found == shown
        assert "error[E" in found
        return
    assert found.startswith("network "), found
    if "prints" in block.marks:
        assert shown, f"{block}: a text block says what it prints"
        indented = (textwrap.indent(shown, " " * width) for width in range(0, 40, 2))
        assert any(f"\n{lines}" in f"\n{found}" for lines in indented), found


def followed(found: list[Block]) -> list[tuple[Block, Block | None]]:
    return list(zip_longest(found, found[1:]))


# Commands


def save_specs(page: Path, folder: Path) -> None:
    for block in on(page):
        if is_whole(block) and "wrong" not in block.marks:
            name = re.search(r"^name: (\w+)$", block.text, re.M)
            assert name is not None
            (folder / f"{name[1]}.yaml").write_text(block.text, "utf-8")


def run(command: str) -> str:
    words = shlex.split(command)
    assert words[:2] == ["$", "archc"], f"only archc runs in a console block: {command}"
    return CliRunner().invoke(main, words[2:], prog_name="archc").output


def as_run(text: str) -> str:
    """Return a console block with each command's real output; one that fits stays as written."""
    result = ""
    for part in re.split(r"^(?=\$ )", text, flags=re.M)[1:]:
        command, _, shown = part.partition("\n")
        pattern = "".join(
            r"(?:.*\n)*?" if line == "...\n" else re.escape(line)
            for line in shown.splitlines(keepends=True)
        )
        found = run(command)
        result += part if re.fullmatch(pattern, found) else f"{command}\n{found}"
    return result


def update() -> None:
    for page in DOCS:
        lines = page.read_text("utf-8").split("\n")
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            save_specs(page, Path(folder))
            for block, following in reversed(followed(on(page))):
                shown = block
                if block.language == "console":
                    text = as_run(block.text)
                elif "wrong" in block.marks and following:
                    text, shown = outcome(block), following
                else:
                    continue
                end = shown.line - 1 + shown.text.count("\n")
                lines[shown.line - 1 : end] = text.splitlines()
        page.write_text("\n".join(lines), "utf-8")


if os.environ.get("ARCHC_UPDATE"):
    update()
ALL = [block for page in DOCS for block in on(page)]


# Examples


@pytest.mark.parametrize(
    ("block", "following"), [pair for pair in followed(ALL) if pair[0].language == "yaml"], ids=str
)
def test_yaml(block: Block, following: Block | None) -> None:
    check_yaml(block, following)


@pytest.mark.parametrize("page", DOCS, ids=lambda p: p.name)
def test_every_block_has_a_known_language(page: Path) -> None:
    for block in (b for b in ALL if b.page == page):
        assert block.language in ("yaml", "console", "pycon", "python", *READ_BY_PEOPLE), block
        marked = ("yaml", "python")
        assert not block.marks or block.language in marked, f"{block}: nothing reads its comment"


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "console"], ids=str)
def test_console(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_specs(block.page, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert as_run(block.text) == block.text


@pytest.mark.parametrize("page", DOCS, ids=lambda p: p.name)
def test_python(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_specs(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    module = ModuleType("documented")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    for block in (b for b in ALL if b.page == page):
        if block.language == "python" and not block.marks:
            exec(compile(block.text, str(block), "exec"), module.__dict__)
        elif block.language == "pycon":
            parser, globs = doctest.DocTestParser(), module.__dict__
            test = parser.get_doctest(block.text, globs, str(block), str(page), block.line)
            test.globs = globs  # the page's, not a copy
            runner.run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "python" and b.marks], ids=str)
def test_emitted(block: Block) -> None:
    whole = next(b for b in on(block.page) if is_whole(b))
    network = compiler.compile_node(document(whole), source="net.yaml").network
    assert block.text in backend(block.marks[0]).emit(network)["model.py"]


# That these tests can fail


def example(text: str, *marks: str, language: str = "yaml") -> Block:
    return Block(LANGUAGE, 1, language, text, marks)


@pytest.mark.parametrize(
    ("block", "following"),
    [
        (example("- {conv: 3, kernel: 3}\n", "body"), None),  # without a name
        (example("- {conv: 3, kernel: 3, name: a, expect: 1x1x3}\n", "body"), None),
        (example("- identity\n"), None),  # nothing says where it stands
        (example("- identity\n", "bodies"), None),
        (example("- identity\n", "body", "wrong"), example("", language="text")),
        (example("- {conv: 3}\n", "body", "wrong"), example("error[E309]\n", language="text")),
        (example("- identity\n", "body", "prints"), example("%identity\n", language="text")),
        (example("archc: 2\n"), None),
    ],
)
def test_bad_examples_are_noticed(block: Block, following: Block | None) -> None:
    with pytest.raises(AssertionError):
        check_yaml(block, following)


def test_changed_output_is_noticed() -> None:
    changed = as_run("$ archc explain --help\nnothing\n")
    assert "nothing" not in changed
    assert as_run("$ archc explain --help\n...\n").endswith("help\n...\n")
