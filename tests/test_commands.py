"""The commands that write files or run code; what runs frameworks is replaced."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from archcompiler import __version__, locate, verify
from archcompiler.backend import Backend
from archcompiler.bench import Result as Measurement
from archcompiler.cli import main
from archcompiler.commands import backends, bench
from archcompiler.compiler import compile_file
from archcompiler.emitted import DType
from archcompiler.errors import Diagnostic
from archcompiler.ir import Network
from archcompiler.verify import Verified

FILES = [
    *("README.md", "architecture.json", "archc.lock", "benchmark.py", "model.py", "weights.py")
]
GOOD = """\
archc: 1
name: {name}
input: 32x32x3
params: {{classes: 10}}
stem: {{conv: 8, kernel: 3, padding: same, name: Conv_1}}
body: []
heads: {{Logits: [global_avg_pool, {{dense: $classes, name: fc}}]}}
"""


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with two good specs."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(GOOD.format(name=name))
    return tmp_path


@pytest.fixture
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        backends, "find_spec", lambda name: None if name == "tensorflow" else real("json")
    )


# build


def test_build(folder: Path) -> None:
    result = run("build", "one.yaml", "-b", "torch", "-o", "made", "classes=7")
    assert (result.exit_code, result.stderr) == (0, "")
    assert names(folder / "made") == sorted(FILES)
    lines = (folder / "made" / "model.py").read_text().count("\n")
    assert result.stdout.splitlines()[0] == "made"
    assert f"  model.py           {lines:>6,} lines" in result.stdout.splitlines()
    assert '"classes": 7' in (folder / "made" / "architecture.json").read_text()


def test_build_again_says_unchanged(folder: Path) -> None:
    run("build", "one.yaml", "-b", "torch")
    result = run("build", "one.yaml", "-b", "torch")
    assert result.exit_code == 0
    assert result.stdout.count("unchanged") == len(FILES) - 1


def test_build_chooses_folders(folder: Path) -> None:
    run("build", "one.yaml", "-b", "torch")
    assert names(folder / "out" / "one-torch") == sorted(FILES)
    assert run("build", ".", "-b", "torch", "-b", "tensorflow", "-o", "all").exit_code == 0
    for name in ("one", "two"):
        assert names(folder / "all" / name) == ["tensorflow", "torch"]
    run("build", "one.yaml", "-b", "torch", "-b", "tensorflow", "-b", "torch")
    assert names(folder / "out") == ["one-tensorflow", "one-torch"]
    run("build", ".", "-b", "torch", "-o", "many")
    assert names(folder / "many" / "two") == ["torch"]


def test_build_writes_nothing_where_one_spec_is_wrong(folder: Path) -> None:
    (folder / "three.yaml").write_text("archc: 1\n")
    result = run("build", ".", "-b", "torch")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "three.yaml:1:1: error[E205]" in result.stderr
    assert not (folder / "out").exists()


def test_build_check(folder: Path) -> None:
    missing = run("build", "one.yaml", "-b", "torch", "--check")
    assert missing.exit_code == 1
    assert missing.stdout.startswith(f"error[E604] {Path('out', 'one-torch')} does not exist\n")
    assert not (folder / "out").exists()
    run("build", "one.yaml", "-b", "torch")
    same = run("build", "one.yaml", "-b", "torch", "--check")
    assert (same.exit_code, same.stdout) == (0, f"{Path('out', 'one-torch')} is up to date\n")
    changed = run("build", "one.yaml", "-b", "torch", "--check", "classes=3")
    assert changed.exit_code == 1
    assert "error[E604]" in changed.stdout


def test_build_spares_what_is_not_its_own(folder: Path) -> None:
    run("build", "one.yaml", "-b", "torch")
    model = folder / "out" / "one-torch" / "model.py"
    model.write_text("mine")
    refused = run("build", "one.yaml", "two.yaml", "-b", "torch")
    assert refused.exit_code == 2
    assert "error[E602]" in refused.stderr
    assert model.read_text() == "mine"
    assert names(folder / "out" / "two-torch") == sorted(FILES), "one failure keeps no other back"
    forced = run("build", "one.yaml", "-b", "torch", "--force")
    assert forced.exit_code == 0
    assert "model.py.bak" in forced.stdout
    assert (model.parent / "model.py.bak").read_text() == "mine"


def test_build_into_one_folder_twice(folder: Path) -> None:
    (folder / "copy.yaml").write_text(GOOD.format(name="ONE"))
    result = run("build", ".", "-b", "torch")
    assert result.exit_code == 2
    assert "error[E705] two specs would be built into" in result.stderr
    assert "copy.yaml" in result.stderr
    assert not (folder / "out").exists()


def test_build_needs_a_backend(folder: Path) -> None:
    result = run("build", "one.yaml")
    assert result.exit_code == 2
    assert "say which backend: --backend tensorflow or --backend torch" in result.stderr
    unknown = run("build", "one.yaml", "-b", "torhc")
    assert unknown.exit_code == 2
    assert "error[E702] there is no backend `torhc`\n   hint: did you mean `torch`?" in (
        unknown.stderr
    )


# verify


def test_verify(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, list[str], list[str]]] = []
    wrong = Diagnostic(code="E801", message="the end point differs")

    def fake(
        network: Network, used: Sequence[Backend], dtypes: Sequence[DType], **options: object
    ) -> Verified:
        assert options == {"train": False, "given": None}
        seen.append((network.name, [b.name for b in used], [*dtypes]))
        return Verified(differences=(wrong,) if network.name == "two" else ())

    monkeypatch.setattr(verify, "verify", fake)
    monkeypatch.setattr(backends, "find_spec", lambda name: name)
    result = run("verify", ".", "--dtype", "float64")
    both = ["tensorflow", "torch"]
    assert seen == [("one", both, ["float64"]), ("two", both, ["float64"])]
    assert result.exit_code == 1
    assert result.stdout.count("are those of the spec") == 2
    assert "error[E801] the end point differs" in result.stdout
    assert "one  PyTorch: 2 end points and 4 tensors are those of the spec" in result.stdout
    found = json.loads(run("verify", "two.yaml", "-b", "torch", "--format", "json").stdout)
    assert [d["code"] for d in found] == ["E801"]
    assert run("verify", "one.yaml").exit_code == 0
    alone = run("verify", "one.yaml", "-b", "torch", "--train")
    assert alone.exit_code == 2
    assert "--train compares backends, and only torch is run" in alone.stderr
    several = run("verify", ".", "--weights", "w.safetensors")
    assert several.exit_code == 2
    assert "--weights is for one spec, got 2" in several.stderr


@pytest.mark.usefixtures("without_tensorflow")
def test_verify_skips_what_cannot_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "verify", lambda *_, **__: Verified(differences=()))
    result = run("verify", "one.yaml")
    assert result.exit_code == 0
    assert result.stdout.count("PyTorch") == 1
    assert "skipped tensorflow" in result.stderr
    assert "pip install 'archcompiler[tensorflow]'" in result.stderr


@pytest.mark.usefixtures("without_tensorflow")
def test_verify_refuses_what_was_asked_for_and_cannot_run(folder: Path) -> None:
    for words in (["verify", "one.yaml", "-b", "tensorflow", "-b", "torch"],):
        result = run(*words)
        assert result.exit_code == 2
        assert "error[E701]" in result.stdout
        assert "hint: pip install 'archcompiler[tensorflow]'" in result.stdout


def test_verify_says_what_carries_arrays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"torch", "tensorflow", "numpy"}
    monkeypatch.setattr(backends, "find_spec", lambda name: name if name in here else None)
    result = run("verify", "one.yaml", "-b", "torch")
    assert result.exit_code == 2
    assert "error[E701] safetensors must be installed to run emitted code" in result.stdout
    assert "pip install 'archcompiler[torch]' brings them" in result.stdout


def test_verify_without_any_framework(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda _: None)
    result = run("verify", "one.yaml", "--format", "concise")
    assert result.exit_code == 2
    assert result.stdout.count("error[E701]") == 2


# bench


def test_bench(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], list[str]]] = []

    def fake(
        folders: Mapping[str, Path], arguments: Sequence[str], echo: Callable[[str], None]
    ) -> list[Measurement]:
        calls.append((list(folders), list(arguments)))
        assert all((path / "benchmark.py").is_file() for path in folders.values())
        echo("torch: step 0")
        return [Measurement(backend="torch", error="no memory")]

    monkeypatch.setattr(bench, "run_benchmarks", fake)
    monkeypatch.setattr(backends, "find_spec", lambda name: name)
    result = run("bench", "one.yaml", "classes=3", "-b", "torch", "--", "--steps", "3", "-h")
    assert calls == [(["torch"], ["--steps", "3", "-h"])]
    assert result.exit_code == 1
    assert result.stdout.split() == "torch: step 0 torch error: no memory".split()
    run("bench", "one.yaml")
    assert calls[1] == (["tensorflow", "torch"], [])
    assert names(folder) == ["one.yaml", "two.yaml"], "nothing is left behind"


# What only prints


def test_summary() -> None:
    result = run("summary", "inception_v3", "num_classes=10")
    assert result.exit_code == 0
    assert "Mixed_5b" in result.stdout
    assert all(len(line) <= 100 for line in result.stdout.splitlines())


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_resolve_gives_the_same_network(folder: Path, form: str) -> None:
    result = run("resolve", "one.yaml", "classes=4", "--format", form)
    assert (result.exit_code, result.stderr) == (0, "")
    resolved = folder / "resolved.yaml"
    resolved.write_text(result.stdout)
    assert "params" not in yaml.safe_load(result.stdout)
    network = compile_file(resolved).network
    wanted = compile_file(folder / "one.yaml", locate.locate(["classes=4"]).assignments).network
    assert network.totals() == wanted.totals()
    assert [e.name for e in network.end_points] == [e.name for e in wanted.end_points]


def test_schema() -> None:
    found = json.loads(run("schema").stdout)
    assert found["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert {"stem", "body", "heads"} <= set(found["properties"])


def test_env(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("env")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"archc               {__version__}\npython ")
    lines = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    assert {"backend tensorflow", "backend torch", "click"} <= set(lines)
    from archcompiler.commands import env

    monkeypatch.setattr(env, "find_spec", lambda _: None)
    assert "builds; to run it: pip install 'archcompiler[torch]'" in run("env").stdout
