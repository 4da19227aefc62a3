"""The gate before the writer: what it lets through, and what it holds back."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from archcompiler import gate, lowering, render
from archcompiler.backend import Backend, backend
from archcompiler.build import emit
from archcompiler.cli import main
from archcompiler.compiler import compile_file
from archcompiler.gate import Allowed, UnsafeOutput
from archcompiler.ir import Network
from archcompiler.locate import shipped_folder

NETWORK = compile_file(shipped_folder() / "inception_v3.yaml").network
TORCH, TENSORFLOW = backend("torch"), backend("tensorflow")
FILES = {one.name: emit(NETWORK, one) for one in (TORCH, TENSORFLOW)}

# A line of code, and what the gate says of it: each is what one slip of an emitter would allow.
CODE = {
    "import os.path": "an import of os.path",
    "import subprocess": "an import of subprocess",
    "from os import system": "an import of os.system",
    "from . import model": "an import of .",
    "from model import *": "an import of model.*",
    "from FRAMEWORK import load": "an import of FRAMEWORK.load",
    "os.popen(1)": "the attribute popen",
    "json.dumps(1)": "the attribute dumps",
    "X = os": "the name os",
    "X = os.shape": "the attribute shape",
    "from FRAMEWORK import (\n    os,\n)": "an import of FRAMEWORK.os",
    "import weights": "an import of weights",
    "eval(1)": "the name eval",
    "exec(1)": "the name exec",
    "open(1)": "the name open",
    "getattr(int, 1)": "the name getattr",
    "__import__(1)": "the name __import__",
    "__builtins__": "the name __builtins__",
    "X = int.__subclasses__()": "the attribute __subclasses__",
    "X = (1).__class__": "the attribute __class__",
    "X = FRAMEWORK._private": "FRAMEWORK._private",
    "X = FRAMEWORK": "the name FRAMEWORK",
    "X = FRAMEWORK.os.popen('a')": "FRAMEWORK.os.popen",
    "from FRAMEWORK import os": "an import of FRAMEWORK.os",
    "import FRAMEWORK.os": "an import of FRAMEWORK.os",
    "import FRAMEWORK as X\nY = X.os": "X.os",
    "def f(): return X.os\nimport FRAMEWORK as X": "X.os",
    "FRAMEWORK.os.kill(1, 9)": "FRAMEWORK.os.kill",
    "FRAMEWORK.os = 1": "an assignment to FRAMEWORK.os",
    "FRAMEWORK.config.enable_unsafe_deserialization()":
        "FRAMEWORK.config.enable_unsafe_deserialization",
    "FRAMEWORK.utils.get_file('x')": "FRAMEWORK.utils.get_file",
    "FRAMEWORK.load('x')": "FRAMEWORK.load",
    "from os import popen": "an import of os.popen",
    "from pathlib import Path": None,  # a line of a template
    "from pathlib import Path\nPath('a')": "the name Path",
    "from typing import Any": None,
    "X = [].copy()": "the attribute copy",
    "X = 'conv'.format(1)": "the attribute format",
    "X = [].Mixed_5b": "the attribute Mixed_5b",
    "def f(self): self.remove()": "the attribute remove",
    "def f(self): self.Mixed_5b.Branch_0": None,
    "class A:\n    field: int\ndef f(x): return x.field": None,
    "9**9**9**9": "Pow",
    "X = 1 << 99": "LShift",
    "X = ~1": "Invert",
    "X = 1 @ 2": "MatMult",
    "X = 1 + 2 - 3 * 4 / 5 // 6 % 7": None,
    "from model import load": "an import of model.load",
    "import model\nX = model.load": "model.load",
    "import model\nX = model.INPUT_SHAPE": None,
    "import model\nX = model.FRAMEWORK": "model.FRAMEWORK",
    "X = FRAMEWORK.hub": "FRAMEWORK.hub",
    "X = FRAMEWORK.saving.load_model": "FRAMEWORK.saving.load_model",
    "X = lambda: 1": "Lambda",
    "del X": "Delete",
    "while True: X = 1": "While",
    "try: X = 1\nfinally: X = 2": "Try",
    "(X := 1)": "NamedExpr",
    "assert X": "Assert",
    "async def f(): X = await f()": "AsyncFunctionDef",
    "def f(): yield 1": "Yield",
    "def f():\n    global X": "Global",
    "X = 'rm -rf'": "'rm -rf'",
    "X = 'Mixed_5b/../Mixed_5c'": "'Mixed_5b/../Mixed_5c'",
    "X = '/Mixed_5b//Mixed_5c'": "'/Mixed_5b//Mixed_5c'",
    "X = 'Mixed_5b/Branch_0.conv'": None,
    "X = 'Mixed_5b/nothing'": "'Mixed_5b/nothing'",
    "X = f'{int}rm'": "'rm'",
    "X = f'{eval}'": "the name eval",
    "X = b'rm'": "b'rm'",
    "X = 1j": "1j",
    "X = ...": "Ellipsis",
    "X = 'Mixed_5b'": None,
    "def f(x):\n    'Anything that people read.'\n    return x": None,
    "raise ValueError('anything')": None,
    "raise ValueError(eval)": "the name eval",
    "raise eval('anything')": "the name eval",
    "@eval\ndef f(x): return x": "the name eval",
    "class A(eval): X = 1": "the name eval",
    "class A(metaclass=eval): X = 1": "the name eval",
    "def f(x=eval): return x": "the name eval",
    "def f(x: eval): return x": "the name eval",
    "X: eval = 1": "the name eval",
    "X = [eval for x in (1, 2)]": "the name eval",
}  # fmt: skip


def checked(one: Backend, name: str, text: str, network: Network = NETWORK) -> None:
    gate.check({**FILES[one.name], name: text}, network, gate.allowed(one))


@pytest.mark.parametrize("one", [TORCH, TENSORFLOW], ids=lambda one: one.name)
@pytest.mark.parametrize("code", CODE)
def test_code(one: Backend, code: str) -> None:
    said, module = CODE[code], "torch" if one is TORCH else "keras"
    text = f"{FILES[one.name]['model.py']}\n{code}\n".replace("FRAMEWORK", module)
    if said is None:
        checked(one, "model.py", text)
        return
    said = re.escape(f" holds {said.replace('FRAMEWORK', module)}, which")
    with pytest.raises(UnsafeOutput, match=rf"model\.py:\d+{said}"):
        checked(one, "model.py", text)


# Whole files: what is put in place of the first line, or behind the last.
@pytest.mark.parametrize(
    ("name", "first", "last", "said"),
    [
        ("model.py", "# coding=utf_7", "", "model.py names an encoding"),
        ("model.py", "#\n# -*- coding: latin-1 -*-", "", "model.py names an encoding"),
        ("model.py", "", "X = ", "model.py is no Python"),
        ("model.py", "", '"""', "model.py is no Python"),
        ("model.py", "", "# \x0cimport os", "model.py holds U\\+000C"),
        ("model.py", "", "# \r", "model.py holds U\\+000D"),
        ("model.py", "", "# \x1b[2J", "model.py holds U\\+001B"),
        ("model.py", "", "# \u202e", "model.py holds U\\+202E"),
        ("model.py", "", "# \x00", "model.py holds U\\+0000"),
        ("model.py", "", "#" + "(" * 9000, None),
        ("model.py", "", "(" * 9000, "model.py is no Python"),
        ("benchmark.py", "", "import os; os.abort()", "benchmark.py:\\d+ holds os.abort"),
        ("weights.py", "", "os.abort()", "weights.py:\\d+ holds os.abort"),
        ("architecture.json", "", "x", "architecture.json is no JSON"),
        ("architecture.json", "NaN", "", "architecture.json"),
        ("README.md", "<!-- a --> <!-- b -->", "", "README.md:1 is no comment"),
        ("README.md", "# a", "", "README.md:1 is no comment"),
        ("README.md", "", "```", "README.md ends in a code block"),
        ("README.md", "", "<b>", "README.md:\\d+ holds Markdown"),
        ("README.md", "", "[a](javascript:b)", "README.md:\\d+ holds Markdown .*: a link"),
        ("README.md", "", "[a]: http://x", "README.md:\\d+ holds Markdown .*: a link"),
        ("README.md", "", "[a][b]", "README.md:\\d+ holds Markdown .*: a link"),
        ("README.md", "", "![a][b]", "README.md:\\d+ holds Markdown .*: a link"),
        ("README.md", "", "a ` b", "README.md:\\d+ holds Markdown .*: an open code span"),
        ("README.md", "", "`a` `` b` c", "README.md:\\d+ holds Markdown .*: an open code span"),
        ("README.md", "", "\\``<b>`", None),
        ("README.md", "", "`\\` <b> `", "README.md:\\d+ holds Markdown .*: HTML"),
        ("README.md", "", "## a", "README.md:\\d+ holds Markdown .*: a heading"),
        ("README.md", "", "# inception_v3 in PyTorch", "README.md:\\d+ .*: a heading"),
        ("README.md", "", "a\n---", "README.md:\\d+ holds Markdown .*: a heading"),
        ("README.md", "", "a\n===", "README.md:\\d+ holds Markdown .*: a heading"),
        ("README.md", "", "~~~\na\n~~~", "README.md:\\d+ holds Markdown .*: a code block"),
        ("README.md", "", "``` a `\n<b>", "README.md:\\d+ holds Markdown"),
        ("README.md", "", "https://a", "README.md:\\d+ holds Markdown .*: an address"),
        ("README.md", "", "https\\://a", "README.md:\\d+ holds Markdown .*: an address"),
        ("README.md", "", "WWW.a", "README.md:\\d+ holds Markdown .*: an address"),
        ("README.md", "", "\\@a", "README.md:\\d+ holds Markdown .*: an address"),
        ("README.md", "", "a\\#1", "README.md:\\d+ holds Markdown .*: a reference"),
        ("README.md", "", "GH-1", "README.md:\\d+ holds Markdown .*: a reference"),
        ("README.md", "", "$a$", "README.md:\\d+ holds Markdown .*: a formula"),
        ("README.md", "", "\\:a:", "README.md:\\d+ holds Markdown .*: an emoji"),
        ("README.md", "", "*a*", "README.md:\\d+ holds Markdown .*: emphasis"),
        ("README.md", "", "_a_", "README.md:\\d+ holds Markdown .*: emphasis"),
        ("README.md", "", "&#64;a &lt;", "README.md:\\d+ holds Markdown .*: an entity"),
        ("README.md", "", "`<b> [a] @ :// #1` \\<b\\> \\[a\\](b) a_b &#233; 1:2", None),
        (
            "README.md",
            "",
            "\n| a | b |\n| --- | --- |\n| c | d | e |",
            "another number of cells",
        ),
        ("README.md", "", "\n| a | b |\n| --- | --- |\n| c\\|d | `e` |", None),
        ("model.sh", "", "true", "model.sh is no kind of file"),
    ],
)
def test_files(name: str, first: str, last: str, said: str | None) -> None:
    files = FILES["torch"]
    start, _, rest = files.get(name, "").partition("\n")
    text = f"{first or start}\n{rest}{last}\n" if last or first else rest
    if said is None:
        checked(TORCH, name, text)
        return
    with pytest.raises(UnsafeOutput, match=said):
        checked(TORCH, name, text)


def test_an_import_is_a_template_s_if_all_its_lines_are() -> None:
    first = gate.allowed(TORCH).lines | {"from torch import (", "Tensor,", ")"}
    mixed = dataclasses.replace(gate.allowed(TORCH), lines=first)
    text = FILES["torch"]["model.py"] + "\nfrom torch import (\n    Tensor,\n"
    gate.check({"model.py": f"{text})\n"}, NETWORK, mixed)
    with pytest.raises(UnsafeOutput, match=r"holds an import of torch\.os,"):
        gate.check({"model.py": f"{text}    os,\n)\n"}, NETWORK, mixed)


def test_a_backend_that_declares_nothing_is_told_what_it_misses() -> None:
    class Plain(type(TORCH)):  # type: ignore[misc]
        imports = names = attributes = words = frozenset()

    lines = gate.allowed(TORCH).lines - {"from torch import Tensor, nn"}
    nothing = dataclasses.replace(gate.allowed(Plain()), lines=lines)
    with pytest.raises(UnsafeOutput) as raised:
        gate.check(FILES["torch"], NETWORK, nothing)
    first, *lists = str(raised.value).split("; ")
    assert first.startswith("model.py:")
    assert first.endswith("holds an import of torch, which no emitter may write")
    told = dict(entry.removeprefix("its backend does not declare ").split(": ") for entry in lists)
    assert told["imports"] == "safetensors, safetensors.torch, torch, torch.nn.functional"
    assert told["words"] == "params, weight, weight_decay"
    names = told["names"].split(", ")
    assert {"torch.Tensor", "torch.nn.Conv2d", "torch.nn.functional.relu"} <= {*names}
    attributes = told["attributes"].split(", ")
    assert {"norm", "named_modules", "register_parameter"} <= {*attributes}
    enough = Allowed(
        lines=lines, imports=frozenset({*told["imports"].split(", "), "torch.nn"}),
        names=frozenset(names), attributes=frozenset(attributes),
        words=frozenset(told["words"].split(", ")),
    )  # fmt: skip
    gate.check(FILES["torch"], NETWORK, enough)


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_what_a_backend_declares_is_written(framework: str) -> None:
    """A name that no emitter writes any more is a way out for whoever finds a slip."""
    one = backend(framework)
    package = Path(str(sys.modules[type(one).__module__].__file__)).parent
    source = "\n".join(
        path.read_text("utf-8") for path in package.rglob("*.py") if path.name != "names.py"
    )
    written = {*re.findall(r"\w+", source)}
    assert {n.rpartition(".")[2] for n in one.names} - written == set()
    assert one.attributes - written == set()
    assert one.words - written == set()


def test_the_other_backend_s_modules_are_refused() -> None:
    for one, other in ((TORCH, TENSORFLOW), (TENSORFLOW, TORCH)):
        with pytest.raises(UnsafeOutput, match=f"an import of {'keras' if one is TORCH else ''}"):
            checked(one, "model.py", FILES[other.name]["model.py"])


SPEC = r'''
archc: 1
name: net
summary: 'x """; import os; """'
input: 8x8x3
stem: {conv: 4, kernel: 3, stride: 2, padding: same, name: a}
body: []
heads: {Logits: [global_avg_pool, {dense: 10, name: fc}]}
'''


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_an_escape_that_is_missing_lets_nothing_out(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC, "utf-8")
    words = ["build", "net.yaml", "-b", framework, "-o", "out"]
    with monkeypatch.context() as patch:
        patch.setattr(lowering, "docstring", str)
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 2
        assert "this is a bug in archc, not in your spec" in result.stderr
        assert "UnsafeOutput: model.py" in result.stderr
        assert not Path("out").exists()
    with monkeypatch.context() as patch:
        patch.setattr(render, "comment", lambda text: f"{text}\nimport pty #")
        result = CliRunner().invoke(main, words)
        assert "UnsafeOutput: model.py:2 holds an import of pty" in result.stderr
        assert not Path("out").exists()
    assert CliRunner().invoke(main, words).exit_code == 0
