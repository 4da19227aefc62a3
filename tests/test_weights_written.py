"""Files that exports write: which, what they replace, and names that a kind of file cannot hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from weights_kit import archc, codes, errors, same, small, values

from archcompiler import weights
from archcompiler.weights import formats, keras_file

CHECKPOINT = ["m.ckpt.data-00000-of-00001", "m.ckpt.index"]


@pytest.mark.parametrize("name", CHECKPOINT)
def test_no_file_of_a_checkpoint_is_replaced_unasked(tmp_path: Path, name: str) -> None:
    network = small()
    (tmp_path / name).write_bytes(b"precious")
    for asked in ("m.ckpt", "m.ckpt.index"):
        out = tmp_path / asked
        [error] = errors(
            lambda out=out: weights.export_weights(out, network, values(network), "tensorflow")
        )
        assert (error.code, name in error.message) == ("E917", True)
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"precious"


def test_the_files_that_were_written_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with `.data-` in it is a name like others, and an unrelated checkpoint stays."""
    monkeypatch.chdir(tmp_path)
    network = small()
    Path("small.yaml").write_text((Path(__file__).parent / "cases/weights/small.yaml").read_text())
    weights.write(Path("small.safetensors"), network, values(network))
    Path("m.index").write_bytes(b"precious")
    words = ("weights", "export", "small.safetensors", "small.yaml", "--to", "tensorflow")
    done = archc(*words, "-o", "m.data-aug.ckpt")
    assert (done.exit_code, done.stderr) == (0, "")
    written = [line.split()[-1] for line in done.stdout.splitlines() if "written" in line]
    assert written == ["m.data-aug.ckpt.data-00000-of-00001", "m.data-aug.ckpt.index"]
    assert all(Path(name).is_file() for name in written)
    assert Path("m.index").read_bytes() == b"precious"
    file = Path("m.data-aug.ckpt")
    assert same(weights.import_weights(file, network, "tensorflow").tensors, values(network))
    assert formats.format_of(file).targets(Path("m.index")) == (
        Path("m.data-00000-of-00001"), Path("m.index"),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["x.h5", "x.weights.h5"])
@pytest.mark.parametrize(
    "tensor", ["Stem.conv.weight", "Stem/conv/weights", "Stem/conv/weight", "kernel", "/kernel"]
)
def test_keras_has_no_such_tensor(tmp_path: Path, name: str, tensor: str) -> None:
    file = tmp_path / name
    write = formats.format_of(file, to_write=True).write
    assert write is not None
    [error] = errors(lambda: write(file, {"a/kernel": np.ones(1), tensor: np.ones(1)}, ()))
    assert (error.code, f"`{tensor}`" in error.message) == ("E915", True)
    assert os.listdir(tmp_path) == []


def test_names_of_pytorch_fit_no_file_of_keras(tmp_path: Path) -> None:
    network, file = small(), tmp_path / "x.h5"
    [error] = errors(lambda: weights.export_weights(file, network, values(network), "torch"))
    assert (error.code, os.listdir(tmp_path)) == ("E915", [])


@pytest.mark.parametrize("name", ["x.h5", "x.weights.h5"])
def test_no_tensors_at_all(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    formats.format_of(file).write(file, {}, ())  # type: ignore[misc]
    assert keras_file.read(file) == {}


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from archcompiler.errors import ArchcError
from archcompiler.weights import formats

file = Path(sys.argv[1])
form = formats.format_of(file)
tensors = {"a/kernel": np.random.default_rng(0).uniform(size=(100, 100))}
form.write(file.with_name("whole" + file.name), tensors, ())
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
try:
    form.write(file, tensors, ())
except ArchcError as error:
    print(error.diagnostics[0].code, error.diagnostics[0].message)
"""


@pytest.mark.parametrize("name", ["x.safetensors", "x.pth", "x.h5", "x.weights.h5"])
def test_a_full_disk(tmp_path: Path, name: str) -> None:
    """Libraries raise errors of their own over a disk that takes no more."""
    pytest.importorskip("resource", reason="this system has no limits of files")
    file = tmp_path / name
    file.write_bytes(b"precious")
    done = subprocess.run([sys.executable, "-c", FULL, file], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"E603 cannot write {file}: file too large\n"
    assert sorted(os.listdir(tmp_path)) == [f"whole{name}", name]
    assert file.read_bytes() == b"precious"


@pytest.mark.parametrize("name", [".", "..", "/", ""])
def test_folders_are_no_files(name: str) -> None:
    done = archc("weights", "show", name)
    assert (done.exit_code, "error[E915]" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", [".index", ".ckpt", "a\0.ckpt", "a\0.pth"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    found = codes(lambda: formats.format_of(tmp_path / name).read(tmp_path / name, frozenset()))
    assert found == ["E101"]
