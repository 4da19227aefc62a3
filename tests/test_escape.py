"""Text of a spec in each output medium, and that nothing goes around `escape.py`."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import logged
import pytest
import rendered
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from archcompiler import escape, source
from archcompiler.cli import main
from archcompiler.yaml_writer import to_yaml

ROOT = Path(__file__).parents[1]
HOSTILE = (
    "::stop-commands::x", "a\n::add-mask::b", "x " * 60 + "::add-mask::y", "##[add-mask]x",
    "x " * 60 + "##vso[a.b]y", "###VsO[a.b]y", "##teamcity[a", "##vso [a]", "##vso\n[a]",
    "x ##\u017f[", "#\ufe0f#vso[a]", "##v\u034fso[a]", "##\u3164[a]", "\ufe0f::add-mask::b",
    "a\n :\ufe0f:add-mask::b", "x " * 60 + ":\u034f:add-mask::y", "x " * 60 + "\ufe0f::add-mask::y",
    "\x1b]0;gone\x07\x1b[2J", "\x9b2J", "-->", "--!>", "<!--", "```x`", "``", "`", " a ", "- a",
    "+ a", "[a]: http://x", "[a][b]", "![a][b]", "http://a.b/@c", "www.a.b", "#1", "$a$", "a|@|b",
    "1.", "1. b", "12) c", "# x", "=", "~~~", "a|b", "[a](javascript:x)", "<b>", "&lt;",
    "coding=utf_7", "-*- coding: utf-7 -*-", "{{7*7}}", "{% raw %}",
    "{__import__('os')}", "'\"\"\"'", "\"'", "\\",
    "a\\", "\\'", "\\\\'\"\"\"", "\\N{BULLET}", "\x00", "\x7f", "\r", "\x85\u2028\u2029",
    "\u202ea\u2066", "\ufeff",
    "\U000e0001", "\xe9\u754c", "%0A::x", "a:b,c", "",
)  # fmt: skip
MARKS = "\t\n\\\"'`{}[]()<>#%:|*&!$~@=;,. -_+/w0192abcdeghx\xe9"
PRINTS = {
    "archcompiler/diagnostics.py": "say, put and report",
    "archcompiler/cli.py": "errors of the process itself",
    "archcompiler/weights/h5_process.py": "JSON to the process that started it",
}
"""The files that may print."""
DUMPS = {
    "archcompiler/escape.py": "documents for programs",
    "archcompiler/json_text.py": "JSON for people",
    "archcompiler/ir_json.py": "a key to compare by",
    "archcompiler/manifest.py": "archc.lock",
    "archcompiler/jobs.py": "to a process that it starts",
    "archcompiler/worker.py": "to the process that started it",
    "archcompiler/weights/h5_process.py": "to the process that started it",
}
"""The files that may write JSON, and what."""


@pytest.mark.parametrize("text", HOSTILE)
def test_lines_for_people(text: str) -> None:
    shown = escape.show_lines(text)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown.count("\n") == text.count("\n")
    assert not logged.commands(shown)


@pytest.mark.parametrize("text", HOSTILE)
def test_annotations(text: str) -> None:
    for shown in (escape.annotation(text), escape.annotation_property(text)):
        assert shown.isprintable()
        assert not logged.ANYWHERE.search(logged.seen(shown))
    assert not re.search("[:,]", escape.annotation_property(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_documents(text: str) -> None:
    written = escape.json_document({"a": text})
    assert json.loads(written) == {"a": text}
    assert written.isascii()
    assert not logged.commands(written)
    yaml = to_yaml({"a": text})
    root = source.parse(yaml, "a.yaml")
    assert isinstance(root, source.Mapping)
    node = root.entries["a"].node
    assert isinstance(node, source.Scalar)
    assert node.value == text
    assert not logged.commands(yaml)


@pytest.mark.parametrize("words", [[], ["check"], ["build", "inception_v3", "-b"]])
@pytest.mark.parametrize("text", ["--##[a]", "--a##vso[b.c]d", "##vso[a.b]c", "\n::add-mask::b"])
def test_errors_of_usage(words: list[str], text: str) -> None:
    done = CliRunner().invoke(main, [*words, text])
    assert done.exit_code == 2
    assert not logged.commands(done.output)


@pytest.mark.parametrize("text", ["## a heading", "##vso", "## [a]", "#[a]", "#vso[a]", "##-["])
def test_what_is_no_command_stays_as_it_is(text: str) -> None:
    assert escape.show_lines(text) == escape.annotation(text) == text
    assert escape.json_document(text) == f'"{text}"'
    assert to_yaml({"a": f"x{text}"}) in (f"a: x{text}\n", f'a: "x{text}"\n')


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_documents_have_numbers_of_json_only(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        escape.json_document({"a": [value]})


@pytest.mark.parametrize("text", HOSTILE)
def test_python(text: str) -> None:
    written = escape.literal(text)
    assert ast.literal_eval(written) == text
    held = f'# {escape.comment(text)}\n"""{escape.docstring(text)}."""\nX = {written}\n'
    assert held.isascii()
    assert not re.search("coding[:=]", held.split("\n")[0])
    tree = ast.parse(held.encode())
    assert [type(s) for s in tree.body] == [ast.Expr, ast.Assign]
    assert ast.get_docstring(tree, clean=False) == " ".join(text.split()).replace('"', "'") + "."


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown(text: str) -> None:
    for shown in (escape.markdown(text), escape.markdown_code(text)):
        assert shown.isascii()
        assert shown.isprintable()
    shown = escape.show(" ".join(text.split()))
    assert rendered.paragraph(escape.markdown(text)) == shown
    cells = rendered.PARSER.parse(f"| a |\n| --- |\n| {escape.markdown(text)} |\n")
    assert [rendered.text_of(t) for t in cells if t.type == "inline"][1:] == [shown]
    code = escape.markdown_code(text)
    fence = re.match("`+", code)
    assert fence
    assert re.findall(f"(?<!`){fence[0]}(?!`)", code) == [fence[0]] * (2 if text else 1)


@given(st.text(alphabet=MARKS) | st.text())
def test_markdown_is_text_whatever_it_was(text: str) -> None:
    shown = escape.show(" ".join(text.split()))
    assert rendered.paragraph(escape.markdown(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Inception V3 as TF-slim defines it (arXiv 1512.00567)",
        "3.4 of 2026: keras.applications, 23834568 weights; one-by-one (1x1), C + 4 = 5, 100 %",
        'as Caffe\'s "bvlc" has it - for faces/people? 1e-3, v2.13.0.',
    ],
)
def test_markdown_leaves_ordinary_text(text: str) -> None:
    assert escape.markdown(text) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("See http://a.example now", "See `http://a.example` now"),
        ("www.a.example, _www.a.example", "`www.a.example`, `_www.a.example`"),
        ("a@b.example and @octocat", "`a@b.example` and `@octocat`"),
        ("GH-1 #1 a/b#2 # C#", "`GH-1` `#1` `a/b#2` \\# C\\#"),
        ("$$x$$ :smile: a:b", "`$$x$$` `:smile:` a:b"),
        ("of 1a2b3c4d5e", "of `1a2b3c4d5e`"),
        ("@a|`@b`", "`@a`\\|\\``@b`\\`"),
        ("\xe9@\xe9", "&#233;`@`&#233;"),
    ],
)
def test_markdown_hides_what_github_looks_for(text: str, code: str) -> None:
    assert escape.markdown(text) == code
    assert rendered.paragraph(code) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_comments(text: str) -> None:
    comment = f"<!-- {escape.markdown_comment(text)} -->"
    assert comment.isascii()
    assert comment.isprintable()
    assert not re.search("--|[<>]", comment[4:-3])


def sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("archcompiler", "backends"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8"))


def called(tree: ast.Module) -> set[str]:
    """Return what a module calls or passes on, as it is written."""
    return {ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Name | ast.Attribute)}


def test_nothing_prints_but_through_the_escapes() -> None:
    ways = re.compile(r"print|click\.(s?echo\w*|progressbar)|sys\.std(out|err)(\.buffer)?\.write")
    found = {file for file, tree in sources() if any(ways.fullmatch(name) for name in called(tree))}
    assert found == set(PRINTS)


def test_nothing_writes_json_but_through_the_escapes() -> None:
    assert {f for f, tree in sources() if "json.dumps" in called(tree)} == set(DUMPS)


def test_templates_get_escaped_text_only() -> None:
    """What a template writes as it is must be a name, a number, or escaped by who renders it."""
    free = re.compile(r"\{\{[^}]*\b(summary|origin|source|changes|command_for_size)\b[^}]*\}\}")
    escaped = {"{{ summary }}", "{{ origin }}"}  # by `card`
    templates = [p for f in ("archcompiler", "backends") for p in (ROOT / f).rglob("*.jinja")]
    assert len(templates) > 10
    for path in templates:
        found = {m[0] for m in free.finditer(path.read_text("utf-8"))}
        assert found <= escaped, path.name


def test_usage_errors_are_escaped() -> None:
    result = CliRunner().invoke(main, ["\x1b[2J"])
    assert result.exit_code == 2
    assert "there is no command '\\x1b[2J'" in result.stderr


SPEC = r"""
archc: 1
name: net
summary: "+AAo-import os \0 \e[2J \" ''' \\ {{7*7}} <b> --> # - [a](b)"
input: 8x8x3
stem: {conv: 4, kernel: 3, stride: 2, padding: same, name: a}
body: []
heads: {Logits: [global_avg_pool, {dense: 10, name: fc}]}
"""


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
@pytest.mark.parametrize(
    "name", ["coding=utf_7 x.yaml", "a`--><script>|b.yaml", 'a"""\nimport os\r\x1b[2J.yaml']
)
def test_names_of_files_are_text(
    name: str, framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoding that a first line names would turn `+AAo-` of a summary into a line end."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(SPEC, "utf-8")
    result = CliRunner().invoke(main, ["build", name, "-b", framework, "-o", "out"])
    assert result.exit_code == 0, result.output
    for path in Path("out").glob("*.py"):
        tree = ast.parse(path.read_bytes())
        imported = {a.name for n in tree.body if isinstance(n, ast.Import) for a in n.names}
        assert "os" not in imported or path.name == "weights.py"
        if path.name == "model.py":
            assert str(ast.get_docstring(tree)).startswith("+AAo-import os \0 \x1b[2J ' ''' \\ {{")
    card = Path("out/README.md").read_text("ascii")
    assert set(re.findall(r"[^ -~]", card)) == {"\n"}
    prose = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", card)
    assert prose.count("-->") == 1
    assert not re.search(r"(?<!\\)<(?!!--)", prose)
