"""Legal input sizes: what `archc check --input` says, and that its searches are exact.

Each case in cases/sizes is a spec and NAME.txt: a command, what it prints, its exit code. To write
the texts anew, and then to read each of them:

    ARCHC_UPDATE=1 pytest tests/test_sizes.py && git diff tests/cases/sizes
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archcompiler import sizes
from archcompiler.cli import main
from archcompiler.compiler import draft_file
from archcompiler.errors import ArchcError
from archcompiler.locate import shipped
from archcompiler.size_report import read_range, runs, spans
from archcompiler.sizes import Limits, Search, Spent, failures_at, survey

CASES = Path(__file__).parent / "cases" / "sizes"
NAMES = sorted({path.stem for path in CASES.iterdir()})
RIGHT = [name for name in NAMES if name not in ("wrong", "dilated")]


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("name", NAMES)
def test_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    path = CASES / f"{name}.txt"
    wanted = path.read_text("utf-8")
    command = wanted.partition("\n")[0]
    result = run(*command.split()[2:])
    assert not result.stderr
    found = f"{command}\n{result.stdout}(exit code {result.exit_code})\n"
    if os.environ.get("ARCHC_UPDATE"):
        path.write_text(found, "utf-8")
    else:
        assert found == wanted
    title_and_rows = [line for line in found.splitlines() if "legal" in line]
    assert all(len(line) <= 80 for line in title_and_rows)


def test_inception_v3() -> None:
    # TF-slim's own code: with the auxiliary head exactly 107 to 346 build, found by trying them.
    draft = draft_file(shipped()["inception_v3"])
    assert Search(draft).limits(training=True) == Limits(107, 346)
    assert Search(draft).limits(training=False) == Limits(75, 362)
    assert [bool(failures_at(draft, (n, n))) for n in (106, 107, 346, 347)] == [1, 0, 0, 1]
    found = survey(draft, [(n, n) for n in (74, 75, 106, 107, 331, 363)])
    assert found.training == ((107, 107), (331, 331))
    assert found.evaluation == ((75, 75), (106, 106), (107, 107), (331, 331))
    both, training, too_large = (group.failure for group in found.groups)
    assert (training.path, training.training_only) == ("AuxLogits/AvgPool_1a_5x5", True)
    assert (both.path, both.training_only) == ("Mixed_7a/Branch_0/Conv2d_1a_3x3", False)
    assert (too_large.path, too_large.training_only) == ("Logits/SpatialSqueeze", False)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", RIGHT)
def test_searches_find_what_trying_all_finds(
    name: str, training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "LARGEST", 100)
    draft = draft_file(CASES / f"{name}.yaml")
    found = survey(draft, [(n, n) for n in range(1, 101)])
    legal = [h for h, _ in (found.training if training else found.evaluation)]
    smallest = legal[0] if legal else None
    largest = legal[-1] if legal and legal[-1] < 99 else None  # even: 100 of 1, 3, ...
    assert Search(draft).limits(training=training) == Limits(smallest, largest)


def test_gaps_of_a_shipped_network() -> None:
    """Its legal sizes come in runs of 8 in 32; all of the least ones are tried."""
    draft = draft_file(shipped()["bn_inception"])
    found = survey(draft, [(n, n) for n in range(1, 97)])
    assert Search(draft).smallest(True) == found.training[0][0]


def test_training_decides_and_each_layer_is_shown_where_it_nearly_fits() -> None:
    result = run("check", "inception_v3", "--input", "73..76", "--format", "concise")
    assert result.exit_code == 1
    assert "evaluation  2 legal: 75 to 76" in result.stdout
    errors = [line for line in result.stdout.splitlines() if "error[E404]" in line]
    assert [line.rpartition("(")[2] for line in errors] == ["at 74)", "at 76)"]
    assert run("check", "inception_v3", "--input", "75..76").exit_code == 1, "training fails"
    assert run("check", "inception_v3", "--input", "107..108").exit_code == 0


def test_a_search_has_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    real = sizes.failures_at
    monkeypatch.setattr(sizes, "failures_at", lambda d, size: tried.append(size) or real(d, size))
    draft = draft_file(CASES / "windows.yaml")
    with pytest.raises(Spent):
        Search(draft, most=3).limits(training=True)
    assert len(tried) == 3
    monkeypatch.setattr(sizes, "MOST_LAYERS", 20)
    error = ArchcError(*(f.why for f in real(draft, (2, 2))))
    tried.clear()
    assert sizes.with_sizes(error, draft) is error, "too many layers for a hint"
    assert tried == []


def test_other_errors_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "failures_at", None)
    monkeypatch.chdir(CASES)
    assert "error[E407]" in run("check", "never.yaml").stdout


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    result = run("check", "even.yaml", "heads.yaml", "--input", "20..24", "--format", "json")
    assert result.exit_code == 1
    even, heads = json.loads(result.stdout)
    assert even["spec"] == "even.yaml"
    assert even["sizes"]["training"]["legal"] == [{"first": "20x20", "last": "24x24", "step": 2}]
    assert "evaluation" not in even["sizes"]
    assert [e["code"] for e in even["errors"]] == ["E402"]
    assert heads["sizes"]["training"]["legal"] == [{"first": "23x23", "last": "24x24", "step": 1}]
    assert heads["sizes"]["evaluation"]["smallest_square"] == 7


def test_changes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    result = run("check", "windows.yaml", "--input", "10..12", "Conv_1.kernel=1", "Conv_2.kernel=1")
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("7", [(7, 7)]),
        ("7..9", [(7, 7), (8, 8), (9, 9)]),
        ("7x3..8x4", [(7, 3), (8, 4)]),
        ("7x3", [(7, 3)]),
        ("7..8x8", [(7, 7), (8, 8)]),
    ],
)
def test_ranges(text: str, wanted: list[tuple[int, int]]) -> None:
    assert list(read_range(text)) == wanted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *((t, "write 75..331") for t in ("", "a", "7-9", "7..", "..9", "7x..9", "-1..3", "7.5..9")),
        ("9..7", "ends before it begins"),
        ("7x7..9x8", "grow together"),
        ("0..3", "a size is 1 to 65,536"),
        ("1..4097", "at most 4,096 sizes"),
        ("99999..99999", "a size is 1 to 65,536"),
    ],
)
def test_no_ranges(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_range(text)
    result = run("check", "inception_v3", f"--input={text}")
    assert result.exit_code == 2
    assert why in " ".join(result.stderr.split())


def test_input_twice() -> None:
    result = run("check", "inception_v3", "input=75x75", "--input", "75..76")
    assert result.exit_code == 2
    assert "give `--input` or `input=`, not both" in result.stderr


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        ([], ""),
        ([4], "4"),
        ([4, 5], "4 to 5"),
        ([4, 6], "4, 6"),
        ([4, 6, 8, 9], "4 to 8 in steps of 2, 9"),
        ([1, 2, 3, 5, 6, 9], "1 to 3, 5 to 6, 9"),
        ([1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19], "1 to 2, 4 to 5, 7 to 8, 10 to 11, "
         "13 to 14, and 2 more ranges"),
    ],
)  # fmt: skip
def test_spans(numbers: list[int], wanted: str) -> None:
    found = [(n, n) for n in numbers]
    assert spans(found) == wanted
    again = [n for a, b, step in runs(found) for n in range(a[0], b[0] + 1, step)]
    assert again == numbers
