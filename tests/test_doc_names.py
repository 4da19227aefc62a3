"""What the documentation names exists: links, files, tests, codes, and the whole language."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from pages import EMITTED, LANGUAGE, PAGES, ROOT, on, prose

from archcompiler import (
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
from archcompiler.cli import COMMANDS
from archcompiler.fields import ACTIVATIONS, MAX_COUNT, says, yaml_text
from archcompiler.fields import write as written
from archcompiler.initializer import DISTRIBUTIONS, FAN_MODES, INIT_NUMBERS, INIT_WORDS
from archcompiler.layers import CONTAINER_KEYS
from archcompiler.op import Op, attributes, plain_attributes, required
from archcompiler.ops import BY_KEY, OPS
from archcompiler.ops.unit import Unit
from archcompiler.spec import COMMON
from archcompiler.validate import HEAD_KEYS, TOP

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


def test_commands_exist() -> None:
    for page in PAGES:
        shell = "".join(b.text for b in on(page) if b.language == "sh")
        text = page.read_text("utf-8") + re.sub("^", "$ ", shell, flags=re.M)
        for word in re.findall(r"(?:`|\$ )archc ([a-z]+)\b", text):
            assert word in COMMANDS, f"{page.name}: there is no `archc {word}`"


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
        "inputs, branches, parameters and defaults of layers, likewise": f"{expand.MAX_GIVEN:,}",
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


def test_bad_text_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b`, c!\n[x](#a-b-c) [y](#b) [z](none.md) `tests/none.py` `none.py`\n")
    assert broken_links(page) == ["#b", "none.md"]
    assert missing_paths(page) == ["tests/none.py", "none.py"]
