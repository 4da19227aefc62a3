"""What a file may claim: tensors that no library could hold are refused, not made."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from weights_kit import codes, errors

from archcompiler.weights import keras_file, safetensors_file, tf_checkpoint, torch_file


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda torch: torch.zeros(1).expand(10**14), "E901"),
        (lambda torch: torch.zeros(3).expand(1000, 3), "E901"),
        (lambda torch: torch.zeros([1] * 100), "E901"),
        (lambda torch: torch.zeros(0, 2**61), "E901"),
        (lambda torch: torch.ones(2).to(torch.float8_e4m3fn), "E905"),
        (lambda torch: torch.ones(2, dtype=torch.complex64), "E905"),
        (lambda torch: torch._neg_view(torch.ones(2)), "E905"),
    ],
)  # fmt: skip
def test_tensors_of_pytorch(
    tmp_path: Path, make: Callable[[Any], Any], code: str, zipped: bool
) -> None:
    import torch

    file = tmp_path / "a.pth"
    value = make(torch)
    zipped |= value.dtype is torch.float8_e4m3fn  # the old format has no such dtype
    torch.save({"a": value}, file, _use_new_zipfile_serialization=zipped)
    assert codes(lambda: torch_file.read(file)) == [code]


def test_a_part_of_a_tensor_is_read(tmp_path: Path) -> None:
    import torch

    file = tmp_path / "a.pth"
    whole = torch.arange(12.0).reshape(3, 4)
    torch.save({"row": whole[1], "column": whole[:, 2], "none": whole[:0]}, file)
    found = torch_file.read(file)
    assert found["row"].tolist() == [4, 5, 6, 7]
    assert found["column"].tolist() == [2, 6, 10]
    assert found["none"].shape == (0, 4)


@pytest.mark.parametrize("shape", [[1] * 100, [0, 2**62, 2**62], [0, 2**61]])
@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16", "BOOL"])
def test_shapes_of_safetensors(tmp_path: Path, shape: list[int], dtype: str) -> None:
    size = {"F32": 4, "F16": 2, "BF16": 2, "BOOL": 1}[dtype] if all(shape) else 0
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}
    header = json.dumps({"a": entry}).encode()
    file = tmp_path / "a.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    assert codes(lambda: safetensors_file.read(file)) == ["E902"]


def test_the_best_that_compression_does_is_read(tmp_path: Path) -> None:
    """A frozen layer may be all zeros; deflate makes 16 KB of 16 MB, and no filter makes less."""
    file = tmp_path / "a.weights.h5"
    with h5py.File(file, "w") as opened:
        group = opened.create_group("layers/dense/vars")
        group.attrs["name"] = "fc"
        zeros = np.zeros((2048, 2048), "f4")
        made = group.create_dataset("0", data=zeros, chunks=zeros.shape, compression=9)
        assert zeros.nbytes > 1020 * made.id.get_storage_size()
    assert keras_file.read(file)["fc/kernel"].shape == (2048, 2048)


@pytest.mark.parametrize("ending", [".index", ""])
def test_reading_a_checkpoint_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Nothing is quick enough for this limit, which grows with all files of the checkpoint."""
    sizes = []

    def limit(start: float, size: int) -> float:
        sizes.append(size)
        return 0.001

    monkeypatch.setattr(tf_checkpoint, "time_limit", limit)
    (tmp_path / f"a.ckpt{ending}").write_bytes(bytes(10))
    (tmp_path / "a.ckpt.data-00000-of-00002").write_bytes(bytes(100))
    (tmp_path / "a.ckpt.data-00001-of-00002").write_bytes(bytes(1000))
    [error] = errors(lambda: tf_checkpoint.read(tmp_path / "a.ckpt"))
    assert (error.code, "takes no end" in error.message) == ("E901", True)
    assert sizes == [1110]


def test_torchscript_holds_code(tmp_path: Path) -> None:
    import torch

    class Doubled(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image * 2

    file, content = tmp_path / "model.pt", io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions call TorchScript old
        torch.jit.save(torch.jit.trace(Doubled(), torch.ones(1)), content)
    file.write_bytes(content.getvalue())
    assert codes(lambda: torch_file.read(file)) == ["E910"]
