"""The documentation is held to the code: its examples run, its links and names exist.

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
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import MISSING, dataclass, fields
from itertools import zip_longest
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from archcompiler import (
    compiler,
    containers,
    evaluate,
    expand,
    expression,
    extends,
    infer,
    names,
    scalars,
    source,
)
from archcompiler.backend import backend
from archcompiler.cli import COMMANDS, main
from archcompiler.diagnostics import render
from archcompiler.errors import ArchcError
from archcompiler.fields import ACTIVATIONS, MAX_COUNT, says, yaml_text
from archcompiler.fields import write as written
from archcompiler.initializer import DISTRIBUTIONS, FAN_MODES, INIT_NUMBERS, INIT_WORDS
from archcompiler.layers import CONTAINER_KEYS
from archcompiler.op import Op, attributes, plain_attributes, required
from archcompiler.ops import BY_KEY, OPS
from archcompiler.ops.unit import Unit
from archcompiler.printer import to_text
from archcompiler.spec import COMMON
from archcompiler.validate import HEAD_KEYS, TOP

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
TOP_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md")
PAGES = [
    *DOCS,
    *(ROOT / name for name in TOP_PAGES),
    *sorted((ROOT / "docs").glob("decisions/*.md")),
]
LANGUAGE = ROOT / "docs" / "language.md"

READ_BY_PEOPLE = ("text", "sh", "mermaid", "toml", "diff")
EMITTED = ("model.py", "benchmark.py")


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the number of its first line, what the comment before it says."""

    page: Path
    line: int
    language: str
    text: str
    marks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(text: str, page: Path) -> Iterator[Block]:
    lines = text.split("\n")
    start, mark = None, ""
    for number, line in enumerate(lines):
        fence = re.fullmatch(r" *```(\w*)", line)
        if fence and start is None:
            start, language = number + 1, fence[1]
        elif fence and start is not None:
            inside = textwrap.dedent("".join(f"{line}\n" for line in lines[start:number]))
            marks = tuple(m.strip() for m in mark.split(",")) if mark else ()
            yield Block(page, start + 1, language, inside, marks)
            start, mark = None, ""
        elif start is None and line.strip():
            said = re.fullmatch(r" *<!-- (?:spec|emitted): (.+) -->", line)
            mark = said[1] if said else ""


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.M | re.S)


def on(page: Path) -> list[Block]:
    return list(blocks(page.read_text("utf-8"), page))


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


def test_commands_exist() -> None:
    for page in PAGES:
        shell = "".join(b.text for b in on(page) if b.language == "sh")
        text = page.read_text("utf-8") + re.sub("^", "$ ", shell, flags=re.M)
        for word in re.findall(r"(?:`|\$ )archc ([a-z]+)\b", text):
            assert word in COMMANDS, f"{page.name}: there is no `archc {word}`"


# Links, paths, codes


def anchors(page: Path) -> set[str]:
    """Return what GitHub calls a page's headings."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


def broken_links(page: Path) -> list[str]:
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if re.match(r"[a-z]+:", link):
            continue
        known = anchors(target) if anchor and target.suffix == ".md" and target.exists() else ()
        if not target.exists() or (anchor and anchor not in known):
            found.append(link)
    return found


def missing_paths(page: Path) -> list[str]:
    """Return what stands in backticks, looks like a file of this repository and is none."""
    tops = {p.name for p in ROOT.iterdir() if p.is_dir()} | {"schema"}
    found = []
    for span in re.findall(r"`([^`\n]+)`", prose(page)):
        if not re.fullmatch(r"[\w.*-]+(/[\w.*-]+)*/?", span) or "NAME" in span:
            continue
        first, inside, _ = span.partition("/")
        if inside and (first in tops or (ROOT / "backends" / first).exists()):
            if not [*ROOT.glob(span.rstrip("/")), *ROOT.glob(f"backends/{span}".rstrip("/"))]:
                found.append(span)
        elif not inside and span.endswith((".py", ".jinja", ".toml", ".md")):
            folders = ("archcompiler", "backends", "tests", "benchmarks", "docs")
            here = [p for folder in folders for p in (ROOT / folder).rglob(span)]
            if not here and not (ROOT / span).exists() and span not in EMITTED:
                found.append(span)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links(page: Path) -> None:
    assert broken_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_paths(page: Path) -> None:
    assert missing_paths(page) == []


def test_tests_exist() -> None:
    found = "".join(p.read_text("utf-8") for p in (ROOT / "tests").rglob("test_*.py"))
    for page in PAGES:
        for name in re.findall(r"`(test_\w+)`", prose(page)):
            assert f"def {name}(" in found, f"{page.name}: there is no {name}"


def test_error_codes_exist() -> None:
    sources = [*(ROOT / "archcompiler").rglob("*.py"), *(ROOT / "backends").rglob("*.py")]
    known = {c for p in sources for c in re.findall(r'"(E\d{3})"', p.read_text("utf-8"))}
    for page in PAGES:
        said = set(re.findall(r"\bE\d{3}\b", page.read_text("utf-8")))
        assert said <= known, f"{page.name}: {sorted(said - known)}"


# The language


def rows(*wanted: str) -> list[list[str]]:
    """Return the rows of the table in docs/language.md that has these columns."""
    for table in re.findall(r"(?:^\|.*\n)+", prose(LANGUAGE), re.M):
        cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in table.splitlines()]
        head, _, *body = [[cell.strip() for cell in row] for row in cells]
        if head == list(wanted):
            return body
    raise AssertionError(f"docs/language.md has no table with the columns {wanted}")


def spans(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def built_in(op: type[Op]) -> set[str]:
    """Return an op's own attributes that have a value when nothing says one."""
    shared = plain_attributes(Unit)
    own = {f.name: f for f in fields(op) if f.name not in shared or not issubclass(op, Unit)}
    types = plain_attributes(op)
    found = {
        f"{name}: {yaml_text(written(types[name], field.default))}"
        for name, field in own.items()
        if field.default is not MISSING
    }
    only = set(attributes(op)) - set(types)
    return found | {f"{name}: {'none' if name == 'width' else 'false'}" for name in only}


def test_ops() -> None:
    table = rows("op", "value behind it", "must be said", "built in", "what it computes")
    assert [spans(row[0]) for row in table] == [[op.key] for op in OPS]
    for row, op in zip(table, OPS, strict=True):
        assert spans(row[1]) == ([op.main] if op.main else []), op.key
        assert spans(row[2]) == [n for n in required(op)], op.key
        assert set(spans(row[3])) == built_in(op), op.key


def test_attributes() -> None:
    table = rows("attribute", "of", "value", "meaning")
    said = {(spans(row[0])[0], key): row[2] for row in table for key in spans(row[1])}
    for op in OPS:
        for name, annotation in attributes(op).items():
            if issubclass(op, Unit) and name in plain_attributes(Unit):
                continue
            assert (name, op.key) in said, f"{op.key} has an attribute `{name}`"
            assert said.pop((name, op.key)) == says(annotation).sentence, f"{op.key}: {name}"
    assert not said


def test_unit() -> None:
    table = rows("attribute", "value", "built in", "meaning")
    assert [spans(row[0]) for row in table] == [[name] for name in plain_attributes(Unit)]
    for row, field in zip(table, fields(Unit), strict=True):
        annotation = plain_attributes(Unit)[field.name]
        assert row[1] == says(annotation).sentence
        value = yaml_text(written(annotation, field.default))
        assert row[2] == ("see below" if field.name == "bias" else f"`{value}`")


def test_words() -> None:
    page = prose(LANGUAGE)
    words = {*TOP, *COMMON, *HEAD_KEYS, *(k for keys in CONTAINER_KEYS.values() for k in keys)}
    words |= {*ACTIVATIONS, *INIT_WORDS, *INIT_NUMBERS, *FAN_MODES, *DISTRIBUTIONS}
    words |= {*names.LANGUAGE, *names.EMITTED, *names.PARAMETER_WORDS, *BY_KEY}
    missing = [word for word in sorted(words) if not re.search(rf"(?<!\w){word}(?!\w)", page)]
    assert missing == []


def test_limits() -> None:
    table = rows("what", "at most")
    limits = {
        "size of a file": f"{source.MAX_BYTES // 2**20} MiB",
        "depth of nesting in the text": f"{source.MAX_DEPTH} levels",
        "values in a file, aliases expanded": f"{source.MAX_NODES:,}",
        "characters of a whole number": f"{scalars.MAX_DIGITS}",
        "a count or a size": f"{MAX_COUNT:,}",
        "characters of a name": f"{_longest_name()}",
        "specs that extend one another": f"{extends.MAX_SPECS}",
        "characters of a path behind `extends`": f"{extends.MAX_PATH:,}",
        "characters of an expression": f"{expression.MAX_LENGTH}",
        "parts of an expression": f"{expression.MAX_NODES}",
        "numbers in an expression": f"2^{expression.MAX_INTEGER.bit_length() - 1}",
        "parameters that read one another in turn": f"{evaluate.MAX_DEPTH}",
        "layers, after blocks and repeats": f"{expand.MAX_LAYERS:,}",
        "containers inside one another": f"{containers.MAX_DEPTH}",
        "names in the path of a patch": f"{source.MAX_DEPTH}",
        "weights of a network": f"2^{infer.MAX_PARAMS.bit_length() - 1}",
        "values of one tensor": f"2^{infer.MAX_ELEMENTS.bit_length() - 1}",
    }
    assert dict(table) == limits


def _longest_name() -> int:
    return max(n for n in range(1, 200) if names.problem("a" * n) is None)


# The architecture


def test_every_module_is_told() -> None:
    page = prose(ROOT / "docs" / "architecture.md")
    own = [*(ROOT / "archcompiler").glob("*.py"), *(ROOT / "archcompiler/testing").glob("*.py")]
    files = [*own, *(ROOT / "backends").glob("archc_*/*.py")]
    told = {word.rpartition("/")[2] for word in spans(page)}
    missing = sorted({p.name for p in files if p.name != "__init__.py"} - told)
    assert missing == [], "docs/architecture.md has a table of all files and what they do"


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


def test_bad_text_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b`, c!\n[x](#a-b-c) [y](#b) [z](none.md) `tests/none.py` `none.py`\n")
    assert broken_links(page) == ["#b", "none.md"]
    assert missing_paths(page) == ["tests/none.py", "none.py"]
    changed = as_run("$ archc explain --help\nnothing\n")
    assert "nothing" not in changed
    assert as_run("$ archc explain --help\n...\n").endswith("help\n...\n")
