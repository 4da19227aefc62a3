"""`archc weights` as a person meets it: what it prints, at 80 columns, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from weights_kit import COUNTS, MAP, SMALL, archc, pair, raw, same, small, values

from archcompiler import weights
from archcompiler.cli import main

GROUP = ("show", "import", "export")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec that fits the map, the map, and a file of the other library."""
    monkeypatch.chdir(tmp_path)
    text = SMALL.read_text("utf-8").replace(*COUNTS)
    (tmp_path / "small.yaml").write_text(text, "utf-8")
    (tmp_path / "other.yaml").write_text(MAP.read_text("utf-8"), "utf-8")
    network = small(COUNTS)
    weights.export_weights(Path("theirs.pth"), network, values(network), map_file=MAP)
    return tmp_path


def imported(*words: str, out: str = "small.safetensors") -> str:
    done = archc(
        "weights", "import", "theirs.pth", "small.yaml", "--map", "other.yaml", "-o", out, *words
    )
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def test_import(folder: Path) -> None:
    assert imported().splitlines() == [
        "small from the other library's small",
        "  used         26 tensors, 564 values",
        "  reshaped  aux.weight: dense to convolution",
        "            5x5 is 1x1x5x5 in Side/Conv/kernel",
        "  reshaped  fc1.weight: rows: C, H, W to H, W, C",
        "            7x48 is 48x7 in Logits/Hidden/dense/kernel",
        "  dropped       5 gammas of ones",
        "  written   small.safetensors",
        "  note: Images are in BGR.",
    ]
    network = small(COUNTS)
    assert same(weights.read(folder / "small.safetensors", network), values(network))


def test_import_as_json(folder: Path) -> None:
    found = json.loads(imported("--format", "json"))
    assert found["file"] == "small.safetensors"
    assert len(found["used"]) == 26
    assert found["used"][0] == {
        "weight": "Stem/conv/kernel",
        "tensor": "conv0.conv.weight",
        "shape": [3, 2, 3, 4],
        "tensor_shape": [4, 3, 3, 2],
        "reshaped": None,
    }
    assert found["dropped"][0] == "conv0.bn.weight"


def test_show(folder: Path) -> None:
    imported()
    for words in ((), ("small.yaml",)):
        done = archc("weights", "show", "small.safetensors", *words)
        assert (done.exit_code, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        first = lines[0] if words else next(line for line in lines if "Stem" in line)
        assert re.fullmatch(r"Stem/conv/kernel +3x2x3x4 +float32", first)
        assert lines[-1] == "neutral file of small: 26 tensors, 564 values"
        assert all(len(line) <= 80 for line in lines)
    done = archc("weights", "show", "theirs.pth", "--format", "json")
    found = json.loads(done.stdout)
    assert found["kind"] == "PyTorch state_dict"
    assert {"name": "aux.bias", "shape": [5], "dtype": "float32"} in found["tensors"]


def test_show_says_what_is_absent(folder: Path) -> None:
    network = small(COUNTS)
    tensors = {n: v for n, v in values(network).items() if "Side" not in n}
    weights.write(Path("small.safetensors"), network, tensors)
    done = archc("weights", "show", "small.safetensors", "small.yaml")
    assert done.stdout.splitlines()[-1] == "absent: 2 weights of training-only heads"


def test_export(folder: Path) -> None:
    imported()
    words = ("small.safetensors", "small.yaml", "--map", "other.yaml", "-o", "again.pth")
    done = archc("weights", "export", *words)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "  filled in     5 gammas of ones" in done.stdout
    assert done.stdout.splitlines()[-1] == "  written   again.pth"
    assert archc("weights", "export", *words).exit_code == 2
    assert archc("weights", "export", *words, "--force").exit_code == 0


def test_long_lists_are_cut(folder: Path) -> None:
    network = small(COUNTS)
    extra = {f"extra{n}": np.ones(1, "f") for n in range(30)}
    Path("theirs.safetensors").write_bytes(raw(values(network) | extra, pair("x")))
    text = MAP.read_text("utf-8")
    Path("other.yaml").write_text(
        "archc_map: 1\nnetwork: small\nsource: o\ntitle: o\nlayout: tensorflow\ntensors:\n"
        '  conv: {kernel: "{}/conv/kernel", beta: "{}/norm/beta",\n'
        '    moving_mean: "{}/norm/moving_mean", moving_variance: "{}/norm/moving_variance"}\n'
        '  dense: {kernel: "{}/dense/kernel", bias: "{}/dense/bias"}\n'
        '  norm: {kernel: "{}/kernel", bias: "{}/bias"}\n'
        "layers:\n  Logits/Hidden: {dense: Logits/Hidden}\n"
        "  Side/Conv: {norm: Side/Conv}\n  Logits/fc: {norm: Logits/fc}\n"
        '  "*": "*"\n'
    )
    assert text != Path("other.yaml").read_text("utf-8")
    words = ("theirs.safetensors", "small.yaml", "--map", "other.yaml", "--allow-unused")
    done = archc("weights", "import", *words)
    assert done.exit_code == 0, done.stderr
    assert "  unused       30 tensors of the file" in done.stdout
    assert "            ... and 18 more" in done.stdout


@pytest.mark.parametrize("command", GROUP)
def test_help_fits(command: str) -> None:
    done = archc("weights", command, "--help")
    assert done.exit_code == 0
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert f"  archc weights {command} " in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["imprt"], "Did you mean 'import'?"),
        (["import", "theirs.pth", "small.yaml"], "say one of `--from NAME` and `--map FILE`"),
        (
            ["import", "theirs.pth", "small.yaml", "--from", "torch", "--map", "other.yaml"],
            "say only one of",
        ),
        (["import", "theirs.pth", "--from", "torch"], "Missing argument"),
        (["export", "theirs.pth", "small.yaml", "--to", "torch"], "Missing option '-o'"),
        (
            ["export", "a", "small.yaml", "--to", "torch", "-o", "b.pth", "--drop-background"],
            "No such option",
        ),
        (["import", "theirs.pth", "small.yaml", "--from", "trch"], "error[E914]"),
        (["import", "none.pth", "small.yaml", "--from", "torch"], "error[E101]"),
        (["import", "theirs.pth", "small.yaml", "--from", "torch", "-o", "a.pth"], "error[E915]"),
    ],
)
def test_usage(folder: Path, words: list[str], message: str) -> None:
    done = archc("weights", *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert sorted(os.listdir()) == ["other.yaml", "small.yaml", "theirs.pth"]


def test_the_wrong_source(folder: Path) -> None:
    network = small(COUNTS)
    weights.export_weights(Path("a.safetensors"), network, values(network), "tensorflow")
    done = archc("weights", "import", "a.safetensors", "small.yaml", "--from", "torch")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "error[E903] a.safetensors is not of the emitted PyTorch code: 0 of 26 names fit",
        "   the file has  Logits.Hidden.dense/bias",
        "   it lacks      Stem.conv.weight",
        "   hint: `--from tensorflow` fits 26 of the file's",
    ]


def test_an_error_in_full(folder: Path) -> None:
    imported()
    done = archc("weights", "show", "small.safetensors", "small.yaml", "num_classes=4")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[:5] == [
        "small.yaml:29:10: error[E904] `Side/Conv/kernel` has another shape",
        "   |  29 |       - {conv: $num_classes, kernel: 1, norm: none, activation: no...",
        "   |                ^",
        "   the file  1x1x5x5",
        "   the spec  1x1x5x4",
    ]
    assert all(len(line) <= 80 for line in done.stderr.splitlines())


def test_nothing_is_written_where_something_is_wrong(folder: Path) -> None:
    words = ("theirs.pth", "small.yaml", "num_classes=4", "--map", "other.yaml")
    done = archc("weights", "import", *words)
    assert done.exit_code == 1
    assert "error[E904]" in done.stderr
    assert not list(folder.glob("*.safetensors"))
    assert not [name for name in os.listdir() if name.startswith(".")]


def test_names_do_not_drive_the_terminal(folder: Path) -> None:
    Path("a.safetensors").write_bytes(raw({"x\x1b[2J\n": np.ones(1, "f")}, {}))
    done = archc("weights", "show", "a.safetensors")
    assert done.exit_code == 0
    assert done.stdout.startswith(r"x\x1b[2J\n  1  float32")


def test_every_command_is_told() -> None:
    assert all(name in archc("weights", "--help").stdout for name in GROUP)
    assert "weights" in main.list_commands(None)  # type: ignore[arg-type]


def test_help_imports_no_library() -> None:
    code = (
        "import sys\nfrom archcompiler.cli import main\nimport archcompiler.weights\n"
        "try:\n    main(['weights', 'import', '--help'])\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    heavy = {"torch", "tensorflow", "keras", "numpy", "h5py", "safetensors"}
    assert not heavy & set(done.stderr.splitlines()[-1].split())
