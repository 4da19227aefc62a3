"""The shape lock: what drifts is found with both places, and only archc's own files are replaced.

Each case in cases/lock is a spec, its lock, and NAME.txt: what `archc check` says. To write the
texts anew, and then to read each of them:

    ARCHC_UPDATE=1 pytest tests/test_lock.py && git diff tests/cases/lock
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archcompiler import lock_drift, source
from archcompiler.cli import main
from archcompiler.compiler import compile_file, compile_node
from archcompiler.locate import shipped
from archcompiler.lock import figures, lock_path, read, sums, to_text
from archcompiler.source import Mapping, parse

CASES = Path(__file__).parent / "cases" / "lock"
NAMES = sorted({path.stem for path in CASES.iterdir()})
GOOD = (CASES / "good.yaml").read_text("utf-8")


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with a spec and its lock."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    assert run("lock", "good.yaml").exit_code == 0
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    result = run("check", f"{name}.yaml")
    assert not result.stderr
    found = f"{result.stdout}(exit code {result.exit_code})\n"
    path = CASES / f"{name}.txt"
    if os.environ.get("ARCHC_UPDATE"):
        path.write_text(found, "utf-8")
    else:
        assert found == path.read_text("utf-8")


# Locks that come with archc


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_spec_has_its_lock(name: str) -> None:
    result = run("lock", name, "--check")
    assert result.exit_code == 0, f"archc lock specs/{name}.yaml\n{result.stdout}"


def test_no_lock_is_left_without_its_spec() -> None:
    locks = shipped()["inception_v3"].parent.glob("*.lock")
    assert sorted(path.stem for path in locks) == sorted(shipped())


def test_figures_of_inception() -> None:
    # End points as TF-slim has them; counts by hand: 3 * 3 * 3 * 32 + 3 * 32 and 149^2 * 864.
    lock = read(shipped()["inception_v3"])
    first = lock.end_points["Conv2d_1a_3x3"].value
    assert (first.shape, first.params, first.macs) == ((149, 149, 32), 960, 149 * 149 * 864)
    assert lock.totals["total"].value.params == 27_179_376
    assert lock.totals["evaluation"].value.params == 23_851_784
    assert len(lock.end_points) == 22


@pytest.mark.parametrize("name", sorted(shipped()))
def test_what_is_written_is_read_back(name: str) -> None:
    spec = shipped()[name]
    network, lock = compile_file(spec).network, read(spec)
    assert {k: placed.value for k, placed in lock.end_points.items()} == figures(network)
    assert {k: placed.value for k, placed in lock.totals.items()} == sums(network)
    lines = lock_path(spec).read_text("utf-8").splitlines()
    for key, placed in lock.end_points.items():
        assert lines[placed.position.line - 1].startswith(f"  {key}: "), "one end point a line"


# archc check


def test_changes_from_the_command_line_are_not_bound(folder: Path) -> None:
    (folder / "good.lock").write_text((CASES / "shape.lock").read_text().replace("16", "17"))
    assert run("check", "good.yaml").exit_code == 1
    for change in ("input=48x48", "Conv_2.conv=24"):
        assert run("check", "good.yaml", change).exit_code == 0


def test_a_spec_without_a_lock_is_good(folder: Path) -> None:
    (folder / "good.lock").unlink()
    assert run("check", "good.yaml").exit_code == 0


def test_both_places_are_in_json(folder: Path) -> None:
    (folder / "good.yaml").write_text(GOOD.replace("conv: 32, kernel: 3", "conv: 32, kernel: 5"))
    (found,) = json.loads(run("check", "good.yaml", "--format", "json").stdout)
    spec = (folder / "good.yaml").read_text().splitlines()
    lock = (folder / "good.lock").read_text().splitlines()
    assert (found["code"], found["file"]) == ("E605", "good.yaml")
    assert "name: Conv_2" in spec[found["line"] - 1]
    now, locked = found["rows"]
    assert (now["file"], now["line"]) == ("good.yaml", found["line"])
    assert locked["file"] == "good.lock"
    assert lock[locked["line"] - 1].startswith("  Conv_2: ")


def test_a_wrong_spec_is_told_before_its_lock(folder: Path) -> None:
    (folder / "good.yaml").write_text(GOOD.replace("kernel: 3", "kernel: 0"))
    (folder / "good.lock").write_text("")
    assert "E606" not in run("check", "good.yaml").stdout


def test_a_lock_that_cannot_be_read(folder: Path) -> None:
    (folder / "good.lock").unlink()
    (folder / "good.lock").mkdir()
    result = run("check", "good.yaml")
    assert result.exit_code == 2
    assert result.stdout == "error[E101] cannot read good.lock: it is a folder\n"


# archc lock


def test_the_name_of_a_spec_stays_in_its_line(folder: Path) -> None:
    name = "a\narchc_lock: 2\x1b"
    (folder / f"{name}.yaml").write_text(GOOD)
    assert run("lock", f"{name}.yaml").exit_code == 0
    first, second, *_ = (folder / f"{name}.lock").read_text("ascii").split("\n")
    assert first.startswith("# `archc check` holds a archc_lock: 2\\x1b.yaml to these figures.")
    assert second == "archc_lock: 1"
    assert run("check", f"{name}.yaml").exit_code == 0


def test_lock_writes_once(folder: Path) -> None:
    before = (folder / "good.lock").read_bytes()
    again = run("lock", ".")
    assert (again.exit_code, again.stdout) == (0, "good.lock  6 end points, unchanged\n")
    (folder / "good.yaml").write_text(GOOD.replace("conv: 32", "conv: 24"))
    assert run("check", "good.yaml").exit_code == 1
    changed = run("lock", "good.yaml")
    assert (changed.exit_code, changed.stdout) == (0, "good.lock  6 end points\n")
    after = (folder / "good.lock").read_bytes()
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    differing = [a.split(b":")[0].strip() for a, b in lines if a != b]
    assert differing == [b"total", b"evaluation", b"Conv_2", b"Logits"]
    assert run("check", "good.yaml").exit_code == 0
    assert sorted(p.name for p in folder.iterdir()) == ["good.lock", "good.yaml"]


def test_lock_check_writes_nothing(folder: Path) -> None:
    current = run("lock", "good.yaml", "--check")
    assert (current.exit_code, current.stdout) == (0, "good.lock is up to date\n")
    text = (folder / "good.lock").read_text()
    (folder / "good.lock").write_text(f"{text}# mine\n")
    assert run("check", "good.yaml").exit_code == 0, "the figures hold"
    edited = run("lock", "good.yaml", "--check")
    assert edited.exit_code == 1
    assert "error[E605] good.lock has the right figures, but is not as archc" in edited.stdout
    (folder / "good.lock").write_text(text.replace("16x16x24", "16x16x25", 1))
    assert "good.yaml:16:6: error[E605] `Mixed_1` gives" in run("lock", ".", "--check").stdout
    (folder / "good.lock").unlink()
    missing = run("lock", "good.yaml", "--check")
    assert missing.exit_code == 1
    assert "error[E605] good.yaml has no lock\n" in missing.stdout
    assert not (folder / "good.lock").exists()


def test_lock_replaces_only_its_own(folder: Path) -> None:
    for broken in ("", "archc_lock: 1\n<<<<<<< ours\n"):
        (folder / "good.lock").write_text(broken)
        assert run("lock", "good.yaml").exit_code == 0
        assert run("lock", "good.yaml", "--check").exit_code == 0
    (folder / "good.lock").write_text("pid 4711\n")
    refused = run("lock", "good.yaml")
    assert refused.exit_code == 2
    assert "error[E601] good.lock exists and archc did not write it" in refused.stderr
    assert (folder / "good.lock").read_text() == "pid 4711\n"
    (folder / "good.lock").unlink()
    (folder / "real").write_text("archc_lock: 1\n")
    (folder / "good.lock").symlink_to("real")
    linked = run("lock", "good.yaml")
    assert linked.exit_code == 2
    assert "error[E603] cannot write good.lock: it is not a regular file" in linked.stderr
    assert (folder / "real").read_text() == "archc_lock: 1\n"


def test_lock_writes_nothing_where_one_spec_is_wrong(folder: Path) -> None:
    (folder / "good.lock").unlink()
    (folder / "wrong.yaml").write_text("archc: 1\n")
    result = run("lock", ".")
    assert result.exit_code == 1
    assert "wrong.yaml:1:1: error[E205]" in result.stderr
    assert not list(folder.glob("*.lock"))


def test_one_failure_keeps_no_other_back(folder: Path) -> None:
    (folder / "good.lock").write_text("mine")
    (folder / "other.yaml").write_text(GOOD)
    assert run("lock", ".").exit_code == 2
    assert (folder / "other.lock").exists()


def test_lock_of_two_specs_in_one(folder: Path) -> None:
    (folder / "good.yml").write_text(GOOD)
    result = run("lock", ".")
    assert result.exit_code == 2
    assert "error[E705] two specs would be locked in good.lock" in result.stderr


def test_lock_takes_no_changes(folder: Path) -> None:
    result = run("lock", "good.yaml", "input=48x48")
    assert result.exit_code == 2
    assert "it takes no NAME=VALUE" in result.stderr


def test_a_lock_is_no_spec(folder: Path) -> None:
    assert run("check", ".").stdout.count("small") == 1
    result = run("check", "good.lock")
    assert result.exit_code == 2
    assert "good.lock is a lock, not a spec\n   hint: give good.yaml" in result.stdout


def test_names_that_yaml_would_read_otherwise() -> None:
    text = GOOD.replace("Conv_2", "no").replace("Mixed_2", "on")
    network = compile_node(parse(text, "x"), source="x").network
    root = parse(to_text(network, "x"), "x")
    assert isinstance(root, Mapping)
    points = root.entries["end_points"].node
    assert isinstance(points, Mapping)
    assert {"no", "on"} <= set(points.entries)


def test_the_lock_in_the_documentation() -> None:
    page = (Path(__file__).parents[1] / "docs" / "language.md").read_text("utf-8")
    blocks = re.findall(r"^```\w+\n(.*?)^```", page, re.M | re.S)
    spec = next(b for b in blocks if "\nname: small\n" in b)
    shown = next(b for b in blocks if "\narchc_lock: 1\n" in b)
    network = compile_node(parse(spec, "small.yaml"), source="small.yaml").network
    assert to_text(network, "small.yaml").startswith(shown.removesuffix("...\n"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("archc_lock: 1", "archc_lock: true", "this archc reads `archc_lock: 1`"),
        ("archc_lock: 1", "archc_lock: 1.0", "this archc reads `archc_lock: 1`"),
        ("archc_lock: 1", 'archc_lock: "1"', "this archc reads `archc_lock: 1`"),
        ("params: 448", "params: -448", "`params`: a count is expected here"),
        ("params: 448", "params: true", "`params`: a count is expected here"),
        ("macs: 110592", "macs: 110592.0", "`macs`: a count is expected here"),
    ],
)
def test_the_type_of_a_figure_counts(old: str, new: str, message: str, folder: Path) -> None:
    text = Path("good.lock").read_text("utf-8")
    assert old in text
    Path("good.lock").write_text(text.replace(old, new, 1), "utf-8")
    found = run("check", "good.yaml")
    assert found.exit_code == 1
    assert f"error[E606] {message}" in found.stdout


def test_a_spec_is_read_once_whatever_its_lock_lists(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = "".join(f"  Gone_{n}: {{shape: 10, params: 1, macs: 1}}\n" for n in range(30))
    with Path("good.lock").open("a", encoding="utf-8") as file:
        file.write(more)
    loads = []

    def load(path: Path) -> object:
        loads.append(path)
        return source.load(path)

    monkeypatch.setattr(lock_drift, "load", load)
    found = run("check", "good.yaml")
    assert len(loads) == 1
    assert found.stdout.count("is in the lock, but is no end point") == lock_drift.MOST_SHOWN
    assert "25 more end points differ with it" in found.stdout


def test_a_patch_is_told(folder: Path) -> None:
    """What changed stands in the variant, what it changed in another file."""
    Path("mine.yaml").write_text("archc: 1\nname: mine\nextends: good.yaml\n", "utf-8")
    assert run("lock", "mine.yaml").exit_code == 0
    patches = ["{set: Conv_1, kernel: 5}", "{set: Mixed_2/Left, kernel: 3}"]
    with Path("mine.yaml").open("a", encoding="utf-8") as file:
        file.write("patch:\n" + "".join(f"  - {patch}\n" for patch in patches))
    found = run("check", "mine.yaml").stdout
    first, second = found.split("error[E605]")[1:]
    assert re.search(r"\n   patched +Conv_1 +mine.yaml:5\n", first)
    assert re.search(r"\n   patched +Mixed_2/Left +mine.yaml:6\n", second)
    assert "Mixed_2/Left" not in first


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (["conv: 24", "activation: silu"], ["kernel: 5"], [5]),
        (["conv: 24", "activation: silu"], ["kernel: 5", "activation: gelu"], [5]),
        (["conv: 24", "activation: silu"], ["kernel: 5", "conv: 40"], [5, 6]),
        (["conv: 24"], ["activation: relu", "conv: 16"], [6]),
    ],
)
def test_only_the_patches_that_matter_are_told(
    before: list[str], after: list[str], told: list[int], folder: Path
) -> None:
    def patches(changes: list[str]) -> str:
        return "patch:\n" + "".join(f"  - {{set: Conv_1, {one}}}\n" for one in changes)

    start = "archc: 1\nname: {}\nextends: {}.yaml\n"
    Path("base.yaml").write_text(start.format("base", "good") + patches(before), "utf-8")
    Path("mine.yaml").write_text(start.format("mine", "base"), "utf-8")
    assert run("lock", "mine.yaml").exit_code == 0
    with Path("mine.yaml").open("a", encoding="utf-8") as file:
        file.write(patches(after))
    first = run("check", "mine.yaml").stdout.split("error[E605]")[1]
    assert [int(n) for n in re.findall(r"\n   patched .*mine.yaml:(\d+)", first)] == told


MANY = ("kernel: 3", "stride: 1", "activation: relu", "dilation: 1", "bias: true", "groups: 1")


@pytest.mark.parametrize(("layers", "trials"), [(1_000_000, 55), (100, 4), (20, 0)])
def test_trials_are_fewer_the_more_layers_there_are(
    layers: int, trials: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five end points differ, and none is as locked without some of its six patches."""
    heads = "".join(
        f"  H{n}: {{layers: [{{conv: 4, kernel: 1, name: c}}, global_avg_pool]}}\n"
        for n in range(5)
    )
    patches = "".join(f"  - {{set: H{n}/c, {change}}}\n" for n in range(5) for change in MANY)
    spec = (
        "archc: 1\nname: mine\ninput: 8x8x4\noutput: H0\ndefaults: {conv: {padding: same}}\n"
        "stem: [{conv: 4, kernel: 1, name: S}]\nbody: [{max_pool: 3, stride: 1, padding: same, "
        f"repeat: 9}}]\nheads:\n{heads}patch:\n{patches}"
    )
    Path("mine.yaml").write_text(spec, "utf-8")
    assert run("lock", "mine.yaml").exit_code == 0
    Path("mine.yaml").write_text(
        spec.replace("{conv: 4, kernel: 1, name: c}", "{conv: 8, kernel: 1, name: c}"), "utf-8"
    )
    expand, made = lock_drift.expand, []
    monkeypatch.setattr(lock_drift, "expand", lambda spec: made.append(spec) or expand(spec))
    monkeypatch.setattr(lock_drift, "trace_file", None)  # what check compiled is passed on
    monkeypatch.setattr(lock_drift, "MOST_EXPANDED", layers)
    found = run("check", "mine.yaml").stdout
    assert len(made) == trials, found
    assert found.count("\n   patched ") == 5  # the last of each
    assert "H4/c" in found


def test_patches_that_are_not_told_are_counted(folder: Path) -> None:
    Path("mine.yaml").write_text("archc: 1\nname: mine\nextends: good.yaml\n", "utf-8")
    assert run("lock", "mine.yaml").exit_code == 0
    changes = ("conv: 24", "kernel: 5", *MANY[2:])
    with Path("mine.yaml").open("a", encoding="utf-8") as file:
        file.write("patch:\n" + "".join(f"  - {{set: Conv_1, {one}}}\n" for one in changes))
    first = run("check", "mine.yaml").stdout.split("error[E605]")[1]
    told = [line for line in first.splitlines() if line.startswith("   patched ")]
    assert told.pop(0).endswith(" by 1 more, before")
    assert [line.rpartition(":")[2] for line in told] == ["6", "7", "8", "9", "10"]
