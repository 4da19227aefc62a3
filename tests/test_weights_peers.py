"""Files that the other libraries write: imported, exported again, and taken back by them.

Every tensor is drawn, so that no two are alike, and must come back bit by bit.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from weights_kit import Array, Build, Tensors, archc, codes, same, small, values

from archcompiler import draw, source, weights
from archcompiler.compiler import compile_node
from archcompiler.ir import Network
from archcompiler.weights import formats

ROOT = Path(__file__).parents[1]
LONG = pytest.mark.long
SPEC = ROOT / "specs" / "inception_v3.yaml"

# Keras turns variables into arrays in a way that numpy will drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

AS_TORCHVISION = (
    ("gamma: false", "gamma: true"),
    ("avg_pool: {padding: same,", "avg_pool: {count_include_pad: true, padding: same,"),
)
DENSE = ROOT / "specs" / "inception_v3_torchvision.yaml"


def inception(*changes: tuple[str, str], dense: bool = False) -> Network:
    """Compile the shipped Inception V3, or torchvision's, with parts of its text replaced."""
    text = (DENSE if dense else SPEC).read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return compile_node(source.parse(text, "inception_v3.yaml"), source="net.yaml").network


def drawn(shapes: Mapping[str, Any], seed: int) -> Tensors:
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(0.1, 2, shape).astype("f") for name, shape in shapes.items()}


def read(path: Path) -> Tensors:
    return formats.format_of(path).read(path, frozenset())


def through_builds(path: Path, network: Network) -> Tensors:
    """Load a neutral file into emitted PyTorch, what that saves into emitted Keras; read the last.

    What the file lacks, which is a training head, is left out again.
    """
    names = {*weights.read(path, network)}
    for framework in ("torch", "tensorflow"):
        build = Build(network, framework, path.parent)
        build.weights.load_weights(build.network, path)
        path = path.parent / f"{framework}.safetensors"
        build.weights.save_weights(build.network, path)
    return {name: v for name, v in weights.read(path, network).items() if name in names}


# torchvision and timm


def torch_peer(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Build a peer; skips where its library is not installed."""
    stub = "torchvision._meta_registrations"  # of operators that another build of torch lacks
    monkeypatch.setitem(sys.modules, stub, ModuleType(stub))
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    if name == "timm":
        timm = pytest.importorskip("timm", reason="timm is not installed")
        return timm.create_model("inception_v3", aux_logits=True)
    models = importlib.import_module("torchvision.models.inception")
    return models.Inception3(init_weights=False)


@pytest.mark.parametrize("dense", [False, True], ids=["convolutions", "dense"])
@pytest.mark.parametrize("name", ["torchvision", pytest.param("timm", marks=LONG)])
def test_torch_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, dense: bool
) -> None:
    import torch
    from safetensors.torch import save_file

    peer = torch_peer(name, monkeypatch)
    parts = {k: v for k, v in peer.state_dict().items() if "tracked" not in k}
    wanted = drawn({k: tuple(v.shape) for k, v in parts.items()}, 1)
    for key, value in wanted.items():
        parts[key].copy_(torch.from_numpy(value))
    torch.save(peer.state_dict(), tmp_path / "theirs.pth")
    save_file(peer.state_dict(), tmp_path / "theirs.safetensors")

    network = inception(dense=True) if dense else inception(*AS_TORCHVISION)
    one, other = (
        weights.import_weights(tmp_path / f"theirs.{kind}", network, name)
        for kind in ("pth", "safetensors")
    )
    assert same(one.tensors, other.tensors)
    assert len(one.report.used) == len(wanted) == 484
    assert len(one.report.ignored) == 96
    assert len(one.report.reshaped) == (0 if dense else 2)
    weights.write(tmp_path / "neutral.safetensors", network, one.tensors)
    tensors = through_builds(tmp_path / "neutral.safetensors", network)
    for kind in ("pth", "safetensors"):
        out = tmp_path / f"ours.{kind}"
        weights.export_weights(out, network, tensors, name)
        assert same(read(out), wanted)
    peer.load_state_dict(torch.load(tmp_path / "ours.pth", weights_only=True), strict=True)


def test_imported_weights_give_the_same_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of torchvision's, through import and the build's own loader: equal to the last bit."""
    import torch

    peer = torch_peer("torchvision", monkeypatch).eval()
    network = inception(dense=True)
    weights.export_weights(tmp_path / "a.pth", network, draw.weights(network), "torchvision")
    peer.load_state_dict(torch.load(tmp_path / "a.pth", weights_only=True))
    torch.save(peer.state_dict(), tmp_path / "b.pth")
    imported = weights.import_weights(tmp_path / "b.pth", network, "torchvision")
    weights.write(tmp_path / "neutral.safetensors", network, imported.tensors)
    build = Build(network, "torch", tmp_path)
    build.weights.load_weights(build.network, tmp_path / "neutral.safetensors")
    images = torch.from_numpy(draw.images(network, 2).astype("f").transpose(0, 3, 1, 2).copy())
    with torch.inference_mode():
        assert torch.equal(build.network.eval()(images), peer(images))


def test_torchvision_computes_something_else(tmp_path: Path) -> None:
    """The shipped spec is TF-slim's: its averages leave the padding out."""
    file = tmp_path / "theirs.pth"
    shipped = inception()
    found = codes(lambda: weights.import_weights(file, shipped, "torchvision"))
    assert found == ["E101"], "the file is read first"
    network = inception(*AS_TORCHVISION)
    weights.export_weights(file, network, values(network), "torchvision")
    assert codes(lambda: weights.import_weights(file, shipped, "torchvision")) == ["E912"] * 3
    call = lambda: weights.import_weights(file, shipped, "torchvision", allow_different=True)  # noqa: E731
    assert codes(call) == ["E913"] * 96


# keras.applications


@pytest.fixture(scope="module")
def keras_peer() -> Any:
    import keras

    keras.backend.clear_session()
    model = keras.applications.InceptionV3(weights=None)
    rng = np.random.default_rng(2)
    model.set_weights([rng.uniform(0.1, 2, w.shape).astype("f") for w in model.weights])
    return model


@pytest.fixture
def network() -> Network:
    return inception()


@pytest.mark.parametrize(
    "ending", ["weights.h5", pytest.param("keras", marks=LONG), pytest.param("h5", marks=LONG)]
)
def test_keras_applications(tmp_path: Path, keras_peer: Any, network: Network, ending: str) -> None:
    file = tmp_path / f"theirs.{ending}"
    keras_peer.save_weights(file) if ending == "weights.h5" else keras_peer.save(file)
    imported = weights.import_weights(file, network, "keras")
    assert len(imported.report.used) == len(keras_peer.weights) == 378
    assert len(imported.report.missing) == 10
    assert all(name.startswith("AuxLogits/") for name in imported.report.missing)
    weights.write(tmp_path / "neutral.safetensors", network, imported.tensors)
    tensors = through_builds(tmp_path / "neutral.safetensors", network)
    assert same(tensors, imported.tensors)

    wanted = [w.numpy() for w in keras_peer.weights]
    for kind, options in (("weights.h5", {}), ("h5", {"by_name": True})):
        out = tmp_path / f"ours.{kind}"
        weights.export_weights(out, network, tensors, "keras")
        assert same(read(out), {w.path: w.numpy() for w in keras_peer.weights})
        keras_peer.set_weights([np.zeros_like(value) for value in wanted])
        keras_peer.load_weights(out, **options)
        for variable, value in zip(keras_peer.weights, wanted, strict=True):
            assert variable.numpy().tobytes() == value.tobytes(), variable.path


def test_names_of_a_later_model(tmp_path: Path, keras_peer: Any, network: Network) -> None:
    """In a session that has made other layers, Keras's names do not start at 0."""
    import keras

    keras.layers.Conv2D(1, 1), keras.layers.BatchNormalization()
    other = keras.applications.InceptionV3(weights=None)
    other.set_weights([w.numpy() for w in keras_peer.weights])
    assert other.weights[0].path != keras_peer.weights[0].path
    found = []
    for number, model in enumerate((keras_peer, other)):
        file = tmp_path / f"{number}.weights.h5"
        model.save_weights(file)
        found.append(weights.import_weights(file, network, "keras").tensors)
    assert same(*found)


# TF-slim


def slim(*words: object) -> None:
    pytest.importorskip("tf_slim", reason="tf-slim is not installed")
    command = [sys.executable, "-W", "ignore", ROOT / "tests" / "slim_peer.py", *words]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_slim(tmp_path: Path) -> None:
    file, known = tmp_path / "theirs.ckpt", tmp_path / "theirs.npz"
    slim("save", file, known)
    wanted: dict[str, Array] = dict(np.load(known))
    network = inception(("num_classes: 1000", "num_classes: 1001"))
    imported = weights.import_weights(file, network, "slim")
    assert len(imported.report.used) == len(wanted) == 388
    assert imported.report.ignored == ["global_step"]
    assert not imported.report.reshaped
    kernel = wanted["InceptionV3/Mixed_5c/Branch_1/Conv_1_0c_5x5/weights"]
    assert (imported.tensors["Mixed_5c/Branch_1/Conv2d_0b_5x5/conv/kernel"] == kernel).all()

    weights.write(tmp_path / "neutral.safetensors", network, imported.tensors)
    tensors = through_builds(tmp_path / "neutral.safetensors", network)
    assert same(tensors, imported.tensors)

    out = tmp_path / "ours.ckpt"
    weights.export_weights(out, network, tensors, "slim")
    assert same(read(out), wanted)
    slim("restore", out, tmp_path / "ours.npz")
    assert same(dict(np.load(tmp_path / "ours.npz")), wanted)

    narrow, file = inception(), tmp_path / "slim.safetensors"
    weights.export_weights(file, network, imported.tensors, "slim")
    call = lambda: weights.import_weights(file, narrow, "slim")  # noqa: E731
    assert codes(call) == ["E904"] * 4
    found = weights.import_weights(file, narrow, "slim", drop_background=True).tensors
    for name, value in imported.tensors.items():
        logits = name.endswith(("Conv2d_2b_1x1/kernel", "Conv2d_2b_1x1/bias"))
        logits |= name.startswith("Logits/")
        assert (found[name] == (value[..., 1:] if logits else value)).all(), name


def test_checkpoints_of_the_first_version(tmp_path: Path) -> None:
    """One file without an index, as TF-slim's weights were published."""
    import tensorflow as tf

    network = small()
    tensors = values(network)
    known = {f"{i}/kernel": v for i, v in enumerate(tensors.values())}
    file = tmp_path / "published.ckpt"
    tf.raw_ops.Save(
        filename=str(file), tensor_names=list(known), data=[tf.constant(v) for v in known.values()]
    )
    assert same(read(file), known)
    file.write_bytes(file.read_bytes()[:-40])
    assert codes(lambda: read(file)) == ["E901"]


def test_slim_weights_in_a_network_with_dense_heads(tmp_path: Path) -> None:
    network = inception(
        ("count_include_pad: true", "count_include_pad: false"),
        ("gamma: true", "gamma: false"),
        dense=True,
    )
    tensors = values(network)
    file = tmp_path / "slim.safetensors"
    report = weights.export_weights(file, network, tensors, "slim")
    assert len(report.reshaped) == 2
    assert read(file)["InceptionV3/Logits/Conv2d_1c_1x1/weights"].shape == (1, 1, 2048, 1000)
    assert same(weights.import_weights(file, network, "slim").tensors, tensors)


# What archc emits


@pytest.mark.parametrize("gamma", ["false", "true"])
def test_emitted_torch(tmp_path: Path, gamma: str) -> None:
    import torch

    network = small(("gamma: false", f"gamma: {gamma}"))
    model = Build(network, "torch", tmp_path).network
    tensors = values(network)
    weights.export_weights(tmp_path / "a.pth", network, tensors, "torch")
    state = torch.load(tmp_path / "a.pth", weights_only=True)
    model.load_state_dict(state, strict=True)
    torch.save(model.state_dict(), tmp_path / "b.pth")
    imported = weights.import_weights(tmp_path / "b.pth", network, "torch")
    assert same(imported.tensors, tensors)
    assert len(imported.report.ignored) == 5


@pytest.mark.parametrize("gamma", ["false", "true"])
@pytest.mark.parametrize("ending", ["weights.h5", "keras", "h5"])
def test_emitted_keras(tmp_path: Path, gamma: str, ending: str) -> None:
    network = small(("gamma: false", f"gamma: {gamma}"))
    model = Build(network, "tensorflow", tmp_path).network
    tensors = values(network)
    weights.export_weights(tmp_path / "a.h5", network, tensors, "tensorflow")
    model.load_weights(tmp_path / "a.h5", by_name=True)
    file = tmp_path / f"b.{ending}"
    model.save_weights(file) if ending == "weights.h5" else model.save(file)
    imported = weights.import_weights(file, network, "tensorflow")
    assert same(imported.tensors, tensors)


def test_the_command_line_does_the_same(tmp_path: Path) -> None:
    network = inception()
    tensors = values(network)
    weights.write(tmp_path / "a.safetensors", network, tensors)
    out, back = tmp_path / "b.weights.h5", tmp_path / "c.safetensors"
    done = archc(
        "weights", "export", tmp_path / "a.safetensors", "inception_v3", "--to", "keras", "-o", out
    )
    assert done.exit_code == 0, done.stderr
    done = archc("weights", "import", out, "inception_v3", "--from", "keras", "-o", back)
    assert done.exit_code == 0, done.stderr
    wanted = {n: v for n, v in tensors.items() if not n.startswith("AuxLogits/")}
    assert same(weights.read(back, network), wanted)
