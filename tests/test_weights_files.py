"""Files of other libraries: nothing in them runs, leads elsewhere, or fills the memory."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from weights_kit import Tensors, archc, codes, errors, raw, same, small, values

from archcompiler import weights
from archcompiler.weights import formats, keras_file, libraries, tf_checkpoint, torch_file

ONES = np.ones((2, 3), "f")


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (self.canary,)


# PyTorch


def as_pickle(path: Path, value: object) -> None:
    path.write_bytes(pickle.dumps(value))


def as_torch(path: Path, value: object) -> None:
    import torch

    torch.save(value, path)


def as_old_torch(path: Path, value: object) -> None:
    import torch

    torch.save(value, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("save", [as_pickle, as_torch, as_old_torch])
def test_code_is_not_run(tmp_path: Path, save: Callable[[Path, object], None]) -> None:
    canary, file = tmp_path / "canary", tmp_path / "model.pth"
    save(file, {"a": Malicious(canary)})
    for call in (
        lambda: torch_file.read(file),
        lambda: weights.import_weights(file, small(), "torch"),
    ):
        [error] = errors(call)
        assert error.code == "E910"
        assert "holds code" in error.message
    result = archc("weights", "import", file, "inception_v3", "--from", "torch")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[E910]" in result.stderr
    assert not canary.exists()
    if save is as_pickle:
        pickle.loads(file.read_bytes())
        assert canary.exists(), "else this test would prove nothing"


@pytest.mark.parametrize("save", [as_torch, as_old_torch])
@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}])
def test_state_dicts(
    tmp_path: Path, save: Callable[[Path, object], None], wrap: Callable[[Any], Any]
) -> None:
    import torch

    file = tmp_path / "model.pth"
    state = {
        "half": torch.tensor([1.5, 2.0], dtype=torch.float16),
        "brain": torch.tensor([1.5, 3.0], dtype=torch.bfloat16),
        "double": torch.tensor([0.1], dtype=torch.float64),
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "count": torch.tensor(3),
    }
    save(file, wrap(state))
    found = torch_file.read(file)
    assert {n: v.dtype.name for n, v in found.items()} == {
        "half": "float32", "brain": "float32", "double": "float64", "turned": "float32",
        "count": "int64",
    }  # fmt: skip
    assert all((found[n] == v.to(torch.float64).numpy()).all() for n, v in state.items())


def test_parameters_and_modules(tmp_path: Path) -> None:
    import torch

    file = tmp_path / "model.pth"
    torch.save({"a": torch.nn.Parameter(torch.ones(2))}, file)
    assert (torch_file.read(file)["a"] == 1).all()
    torch.save(torch.nn.Linear(1, 1), file)  # the whole model, which takes code to read
    assert codes(lambda: torch_file.read(file)) == ["E910"]


@pytest.mark.parametrize("value", [{"a": [1, 2]}, {"a": "b"}, {1: 2}])
def test_what_is_no_tensor(tmp_path: Path, value: object) -> None:
    file = tmp_path / "model.pth"
    as_torch(file, value)
    assert codes(lambda: torch_file.read(file)) == ["E905"]


def test_odd_tensors(tmp_path: Path) -> None:
    import torch

    file = tmp_path / "model.pth"
    torch.save({"a": torch.ones(2, dtype=torch.complex64), "b": torch.eye(2).to_sparse()}, file)
    assert codes(lambda: torch_file.read(file)) == ["E905", "E905"]


def test_no_state_dict(tmp_path: Path) -> None:
    file = tmp_path / "model.pth"
    as_torch(file, [1, 2])
    assert codes(lambda: torch_file.read(file)) == ["E901"]


# Damage, of every kind of file


def keras(path: Path) -> None:
    keras_file.write(path, {"conv2d/kernel": np.ones((3, 3, 1, 2), "f")})


def legacy(path: Path) -> None:
    keras_file.write_legacy(path, {"conv2d/kernel": np.ones((3, 3, 1, 2), "f")})


def whole_keras(path: Path) -> None:
    inside = path.with_name("inside.weights.h5")
    keras(inside)
    layers = [{"class_name": "Conv2D", "config": {"name": "first"}}]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": layers}}))
        archive.write(inside, "model.weights.h5")
    inside.unlink()


def torch_state(path: Path) -> None:
    as_torch(path, {"a": __import__("torch").ones(20)})


KINDS = {"a.weights.h5": keras, "a.h5": legacy, "a.keras": whole_keras, "a.pth": torch_state}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("share", [0, 0.3, 0.7, 0.99])
def test_files_cut_off(tmp_path: Path, name: str, share: float) -> None:
    file = tmp_path / name
    KINDS[name](file)
    assert formats.format_of(file).read(file, frozenset())
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    assert codes(lambda: formats.format_of(file).read(file, frozenset())) == ["E901"]


@pytest.mark.parametrize("name", [*KINDS, "a.safetensors"])
def test_files_of_another_kind(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    for data in (b"hello", bytes(1000), b"\x80\x04." * 99, "ü".encode() * 50):
        file.write_bytes(data)
        found = codes(lambda: formats.format_of(file).read(file, frozenset()))
        assert found in (["E901"], ["E902"]), data[:9]


@pytest.mark.parametrize("name", [*KINDS, "a.safetensors", "a.ckpt"])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    assert codes(lambda: formats.format_of(Path(name)).read(tmp_path / name, frozenset())) == [
        "E101"
    ]


def test_kinds_that_are_not_known(tmp_path: Path) -> None:
    for name in ("model", "model.onnx", "model.npz"):
        assert codes(lambda name=name: formats.format_of(tmp_path / name)) == ["E915"]
    call = lambda: formats.format_of(tmp_path / "a.keras", to_write=True)  # noqa: E731
    assert codes(call) == ["E915"]


def test_a_weights_h5_needs_an_order(tmp_path: Path) -> None:
    file, network = tmp_path / "a.weights.h5", small()
    call = lambda: weights.export_weights(file, network, values(network), "tensorflow")  # noqa: E731
    [error] = errors(call)
    assert error.code == "E915"
    assert not file.exists()


def test_a_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    file = tmp_path / "a.pth"
    file.write_bytes(b"")
    [error] = errors(lambda: torch_file.read(file))
    assert error.code == "E701"
    assert error.hint is not None
    assert "`pip install 'archcompiler[torch]'`" in error.hint


# HDF5


def refused_h5(path: Path, build: Callable[[Any], object]) -> str:
    with h5py.File(path, "w") as file:
        build(file.create_group("layers/dense/vars"))
        file["layers/dense/vars"].attrs["name"] = "dense"
    [error] = errors(lambda: keras_file.read(path))
    return f"{error.code}: {error.message}"


def test_links_are_not_followed(tmp_path: Path) -> None:
    file, other = tmp_path / "a.weights.h5", tmp_path / "secret.h5"
    with h5py.File(other, "w") as secret:
        secret["x"] = ONES
    outward = h5py.ExternalLink(str(other), "/x")
    assert "link" in refused_h5(file, lambda g: g.__setitem__("0", outward))
    soft = h5py.SoftLink("/layers/dense")
    assert "link" in refused_h5(file, lambda g: g.__setitem__("0", soft))


def test_values_are_in_the_file(tmp_path: Path) -> None:
    file, other = tmp_path / "a.weights.h5", tmp_path / "secret.bin"
    other.write_bytes(bytes(24))
    place = [(str(other), 0, 24)]
    assert "another file" in refused_h5(
        file, lambda g: g.create_dataset("0", (2, 3), "f4", external=place)
    )
    layout = h5py.VirtualLayout((2, 3), "f4")
    assert "another file" in refused_h5(file, lambda g: g.create_virtual_dataset("0", layout))


def test_sizes_are_real(tmp_path: Path) -> None:
    file = tmp_path / "a.weights.h5"
    huge = (2**20, 2**20)
    assert "claims" in refused_h5(file, lambda g: g.create_dataset("0", huge, "f4", chunks=True))


def test_objects_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.weights.h5"
    assert refused_h5(file, lambda g: g.create_dataset("0", data=["text"])).startswith("E905")
    kind = h5py.vlen_dtype(np.dtype("f4"))
    assert refused_h5(file, lambda g: g.create_dataset("0", (2,), kind)).startswith("E905")
    pair = np.zeros(2, [("a", "f4"), ("b", "f4")])
    assert refused_h5(file, lambda g: g.create_dataset("0", data=pair)).startswith("E905")


def test_compressed_and_narrow_values_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.weights.h5"
    with h5py.File(file, "w") as opened:
        group = opened.create_group("layers/dense/vars")
        group.attrs["name"] = "fc"
        group.create_dataset("0", data=np.zeros((100, 100), "f4"), compression="gzip")
        group.create_dataset("1", data=np.array([1.5, 2], "f2"))
    found = keras_file.read(file)
    assert found["fc/kernel"].shape == (100, 100)
    assert found["fc/bias"].dtype == np.float32


def test_names_come_from_the_config(tmp_path: Path) -> None:
    """Keras 3.0 wrote no names of layers into the weights."""
    inside, file = io.BytesIO(), tmp_path / "a.keras"
    with h5py.File(inside, "w") as opened:
        for number, container in enumerate(("conv2d", "conv2d_1"), 1):
            opened.create_group(f"layers/{container}/vars")["0"] = ONES * number
    layers = [{"class_name": c, "config": {"name": n}} for c, n in
              (("InputLayer", "in"), ("Conv2D", "b"), ("ReLU", "r"), ("Conv2D", "a"))]  # fmt: skip
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": layers}}))
        archive.writestr("model.weights.h5", inside.getvalue())
    found = keras_file.read(file)
    assert (found["b/kernel"] == 1).all()
    assert (found["a/kernel"] == 2).all()
    alone = tmp_path / "a.weights.h5"
    alone.write_bytes(inside.getvalue())
    [error] = errors(lambda: keras_file.read(alone))
    assert error.code == "E901"
    assert "layers are called" in error.message


def test_norms_tell_gamma_from_beta(tmp_path: Path) -> None:
    file = tmp_path / "a.weights.h5"
    keras_file.write(file, {f"n/{w}": ONES for w in ("gamma", "moving_mean", "moving_variance")})
    assert "n/beta" in keras_file.read(file)
    assert "n/gamma" in keras_file.read(file, frozenset({"n/gamma"}))


def test_zips_do_not_fill_the_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.keras"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", bytes(keras_file.MAX_CONFIG + 1))
    [error] = errors(lambda: keras_file.read(file))
    assert "claims" in error.message
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", b"{}")
    assert codes(lambda: keras_file.read(file)) == ["E901"]


def test_reading_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 never comes back from some damaged files; here no file can be quick enough."""
    monkeypatch.setattr(keras_file, "time_limit", lambda start, size: 0.001)
    file = tmp_path / "a.h5"
    legacy(file)
    [error] = errors(lambda: keras_file.read(file))
    assert (error.code, "takes no end" in error.message) == ("E901", True)


# Writing


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "a.h5"])
def test_own_files_are_read_again(tmp_path: Path, name: str) -> None:
    network, file = small(), tmp_path / name
    source = "tensorflow" if name == "a.h5" else "torch"
    report = weights.export_weights(file, network, values(network), source)
    assert len(report.used) == 26
    imported = weights.import_weights(file, network, source)
    assert same(imported.tensors, values(network))
    assert os.listdir(tmp_path) == [name]


def test_checkpoints(tmp_path: Path) -> None:
    file = tmp_path / "a.ckpt"
    tensors: Tensors = {"b/w": ONES * 3, "a": np.array([0.1]), "n": np.array(4)}
    tf_checkpoint.write(file, tensors)
    assert sorted(os.listdir(tmp_path)) == ["a.ckpt.data-00000-of-00001", "a.ckpt.index"]
    for name in ("a.ckpt", "a.ckpt.index"):
        form = formats.format_of(tmp_path / name)
        assert same(form.read(tmp_path / name, frozenset()), tensors)
    data = tmp_path / "a.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-9])
    assert codes(lambda: tf_checkpoint.read(file)) == ["E901"]


def test_long_lists_of_names(tmp_path: Path) -> None:
    tensors = {f"{'x' * 50}{n}/kernel": ONES for n in range(1500)}
    keras_file.write_legacy(tmp_path / "a.h5", tensors)
    assert same(keras_file.read(tmp_path / "a.h5"), tensors)


def test_brain_floats(tmp_path: Path) -> None:
    def brain(pairs: list[tuple[str, Any]]) -> None:
        pairs[1][1]["dtype"] = pairs[2][1]["dtype"] = "BF16"

    file = tmp_path / "a.safetensors"
    half = np.array([0x3FC0, 0xC040], "<u2").view("f2")  # 1.5 and -3 of bfloat16
    file.write_bytes(raw({"a": half, "b": half[1]}, {}, brain))
    found = formats.format_of(file).read(file, frozenset())
    assert found["a"].tolist() == [1.5, -3.0]
    assert same(found, {"a": np.array([1.5, -3], "f"), "b": np.array(-3, "f")})
    assert isinstance(found["b"], np.ndarray)
