"""Hostile and broken input: the numbered cases of docs/security.md, each with its exact text.

`cases/hostile/NNN_NAME.yaml` is a spec and `NNN_NAME.txt` the command with what it prints, as in
cases/errors; what is too large or too odd for a file that people read is made by `MADE`. To write
the texts anew, and then to read each of them:

    ARCHC_UPDATE=1 pytest tests/test_hostile.py && git diff tests/cases/hostile
"""

from __future__ import annotations

import ast
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archcompiler.cli import main

TESTS = Path(__file__).parent
CASES = TESTS / "cases" / "hostile"
GOOD = """\
archc: 1
name: small
input: 32x32x3
params: {n: 8}
defaults: {conv: {padding: same}}
stem: {conv: $n, kernel: 3, name: Conv_1}
body: []
heads: {Logits: [global_avg_pool, {dense: 10, name: fc}]}
"""
DEEP = 2_000


def used_often(block: str) -> bytes:
    """Return a small spec that uses a block 30,000 times."""
    uses = f"blocks: {{b: {block}}}\nbody: [{{block: b, name: a, repeat: 30000}}]"
    return GOOD.replace("body: []", uses).encode()


MADE: dict[str, Callable[[], bytes]] = {
    "010_brackets": lambda: b"[" * 30_000,
    "010_brackets_by_the_million": lambda: b"[" * 1_000_000,
    "010_maps": lambda: b"".join(b"%sa:\n" % (b" " * n) for n in range(DEEP)),
    "010_flow_maps": lambda: b"{a: " * 100_000,
    "010_closing_braces": lambda: b"archc: 1\na: {b: ${" + b"}" * 200_000 + b", c: 1}\n",
    "010_sequences": lambda: b"- " * 100_000,
    "013_nul": lambda: GOOD.encode().replace(b"small", b"sm\0all"),
    "013_escape": lambda: GOOD.encode().replace(b"small", b"sm\x1ball"),
    "013_surrogate": lambda: GOOD.encode().replace(b"small", b"sm\xed\xa0\x80all"),
    "013_escaped_surrogate": lambda: GOOD.encode().replace(b"small", b'"sm\\ud800all"'),
    "013_key_behind_a_comment": lambda: f"{GOOD}# x\u2028y: z\n".encode(),
    "013_key_behind_a_carriage_return": lambda: f"{GOOD}# x\ry: z\n".encode(),
    "013_noncharacter": lambda: GOOD.encode().replace(b"small", b"sm\xef\xbf\xbfall"),
    "014_utf_16": lambda: GOOD.encode("utf-16"),
    "014_utf_16_without_mark": lambda: GOOD.encode("utf-16-le"),
    "014_latin_1": lambda: GOOD.replace("small", "sm\xe4ll").encode("latin-1"),
    "014_random": lambda: random.Random(14).randbytes(4 * 1024 * 1024),
    "017_five_megabytes": lambda: b"# " + b"x" * 5 * 1024 * 1024,
    "020_5000_digits": lambda: GOOD.encode().replace(b"32x32x3", b"9" * 5_000),
    "020_20000_hexadecimal_digits": lambda: GOOD.encode().replace(
        b"32x32x3", b"0x" + b"f" * 20_000
    ),
    "042_parameters": lambda: used_often(
        f"{{params: {{{', '.join(f'p{n}: 1' for n in range(3_000))}}}, layers: [identity]}}"
    ),
    "042_inputs": lambda: used_often(
        f"{{layers: [{{identity, name: x}}, {{add, from: [{', '.join(['x'] * 3_000)}]}}]}}"
    ),
    "042_branches": lambda: used_often(
        f"{{layers: [{{branches: {{{', '.join(f'b{n}: []' for n in range(3_000))}}}, name: f}}]}}"
    ),
    "042_nodes": lambda: GOOD.encode().replace(
        b"body: []", b"body:\n" + b"  - {conv: 8, kernel: 1}\n" * 70_000
    ),
}
NAMES = sorted({*(path.stem for path in CASES.glob("[0-9]*")), *MADE})

TOLD_ELSEWHERE = {
    45: (
        "test_extends.py::test_a_circle_is_shown_once",
        "test_extends.py::test_chains_have_a_limit",
    ),
    46: (
        "test_extends.py::test_nothing_outside_is_read",
        "test_extends.py::test_a_link_out_of_the_folder_is_outside",
    ),
    47: ("test_extends.py::test_a_base_that_cannot_be_read",),
    15: ("test_hostile_surroundings.py::test_015_byte_order_mark_and_line_ends",),
    19: ("test_hostile_surroundings.py::test_019_an_exponent_without_a_point",),
    53: ("test_hostile_text.py::test_summaries", "test_gate.py::test_code"),
    54: (
        "test_hostile_text.py::test_names_of_files",
        "test_escape.py::test_names_of_files_are_text",
    ),
    56: ("test_escape.py::test_markdown", "test_hostile_text.py::test_summaries"),
    58: ("test_escape.py::test_documents",),
    59: ("test_hostile_text.py::test_summaries",),
    60: (
        "test_writer.py::test_a_file_where_the_folder_should_be_is_refused",
        "test_writer.py::test_a_build_that_fails_anywhere_leaves_everything_as_it_was",
    ),
    61: (
        "test_writer.py::test_the_same_build_again_touches_nothing",
        "test_writer.py::test_an_edited_file_is_refused_and_every_version_kept_by_force",
        "test_writer.py::test_a_folder_of_somebody_else_is_refused",
        "test_writer.py::test_a_new_build_touches_only_what_changed_and_removes_what_is_stale",
    ),
    62: ("test_writer.py::test_a_link_in_place_of_a_file_is_refused",),
    63: (
        "test_writer_crash.py::test_a_full_disk_leaves_the_last_build_and_no_new_folder",
        "test_cli.py::test_full_disk",
    ),
    64: (
        "test_writer_crash.py::test_killed_at_any_step_a_build_leaves_whole_files_and_the_next_one_succeeds",
        "test_writer_crash.py::test_killed_at_any_step_a_forced_build_loses_nobody_s_bytes",
        "test_cli.py::test_interrupt",
        "fuzz/test_durable.py::test_nothing_is_lost",
    ),
    65: (
        "test_writer_crash.py::test_concurrent_builds_leave_one_build_each",
        "fuzz/test_durable.py::test_nothing_is_lost",
    ),
    66: (
        "test_cli.py::test_nobody_reads",
        "test_cli.py::test_poor_environments",
        "test_hostile_surroundings.py::test_066_closed_streams",
    ),
    67: (
        "test_hostile_surroundings.py::test_067_no_working_directory",
        "test_hostile_surroundings.py::test_067_clock",
    ),
    68: (
        "test_commands.py::test_verify_refuses_what_was_asked_for_and_cannot_run",
        "test_commands.py::test_verify_without_any_framework",
    ),
    69: (
        "test_bench.py::test_a_failure_keeps_the_others",
        "test_benchmark_file.py::test_outputs_that_are_not_finite_are_seen",
        "test_benchmark_file.py::test_a_device_that_is_not_there",
    ),
    70: ("test_hostile_surroundings.py::test_070_a_backend_that_cannot_be_imported",),
    71: (
        "test_emitted_files.py::test_the_bytes_depend_on_the_spec_alone",
        "test_hostile_surroundings.py::test_071_one_build_everywhere",
        "fuzz/test_durable.py::test_twenty_builds_are_one",
    ),
    72: ("test_hostile_surroundings.py::test_072_one_wrong_spec_of_many",),
}  # fmt: skip
"""The cases that no spec alone makes, with the tests that hold them."""


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def spec_of(name: str) -> bytes:
    return MADE[name]() if name in MADE else (CASES / f"{name}.yaml").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{name}.yaml").write_bytes(spec_of(name))
    text = CASES / f"{name}.txt"
    wanted = text.read_text("utf-8") if text.exists() else ""
    command = wanted.partition("\n")[0] or f"$ archc check {name}.yaml"
    result = run(*command.removeprefix("$ archc ").split())
    code = "" if result.exit_code == 1 else f"(exit code {result.exit_code})\n"
    found = f"{command}\n{result.stdout}{code}"
    if os.environ.get("ARCHC_UPDATE"):
        text.write_text(found, "utf-8")
    assert found == wanted
    assert not result.stderr
    assert [path.name for path in Path().iterdir()] == [f"{name}.yaml"]


PLACELESS = {"001_empty", "017_five_megabytes"}
"""What has no line to show."""


def test_texts_have_what_a_text_must_have() -> None:
    for path in CASES.glob("*.txt"):
        command, *lines = path.read_text("utf-8").split("\n")
        shown = "\n".join(lines)
        assert shown.replace("\n", "").isprintable(), path.name
        assert "Traceback" not in shown
        assert "bug in archc" not in shown
        place = rf"^(::error file=)?({path.stem}\.yaml|command line)(:|,line=)[0-9]+"
        json = command.endswith("json")
        placed = re.search(place, shown, re.MULTILINE) or json or path.stem in PLACELESS
        assert placed or lines[-2] == "(exit code 0)", path.name
        if "error[" in lines[0] and "--format" not in command and path.stem not in PLACELESS:
            assert re.search(r"^ +\| +\^$", shown, re.MULTILINE), f"{path.name} has no caret"


def test_every_case_is_held() -> None:
    numbers = {int(name[:3]) for name in NAMES}
    assert sorted({*numbers, *TOLD_ELSEWHERE}) == [n for n in range(1, 73)]
    for tests in TOLD_ELSEWHERE.values():
        for place in tests:
            file, _, name = place.partition("::")
            tree = ast.parse((TESTS / file).read_text("utf-8"))
            assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, place


LONGER = {"042_branches", "042_nodes"}
"""What is told near a limit only."""
COSTLY = sorted({*MADE, *(name for name in NAMES if name[:3] in ("009", "042"))} - LONGER)
COSTS = """
import re, sys, time
from click.testing import CliRunner
from archcompiler.cli import main
import archcompiler.commands.check
for name in sys.argv[1:]:
    start = time.process_time()
    result = CliRunner().invoke(main, ["check", name + ".yaml"])
    spent = time.process_time() - start
    assert result.exit_code in (1, 2), (name, result.output)
    assert spent < 1, f"{name}: {spent} s"
# The peak of getrusage begins with that of the process that started this one.
with open("/proc/self/status") as status:
    peak = int(re.search(r"VmHWM:\\s+([0-9]+) kB", status.read())[1])
assert peak < 300 * 1024, f"{peak} KB"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts kilobytes as Linux does")
def test_costs(tmp_path: Path) -> None:
    """Each of the costly cases takes under a second of one core, all of them under 300 MB."""
    for name in COSTLY:
        (tmp_path / f"{name}.yaml").write_bytes(spec_of(name))
    done = subprocess.run(
        [sys.executable, "-c", COSTS, *COSTLY], cwd=tmp_path, env=environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **more}
