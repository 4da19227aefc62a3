"""Files that exports write: which, what they replace, and names that a kind of file cannot hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from weights_kit import archc, errors, same, small, values

from archcompiler import weights
from archcompiler.weights import formats

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
