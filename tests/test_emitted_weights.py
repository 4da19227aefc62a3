"""The emitted `weights.py`: one file serves both frameworks, and a wrong one changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from emitted import network
from safetensors.numpy import load_file, save_file
from weights_kit import Build

from archcompiler import draw

SPEC = "training_heads"
FRAMEWORKS = ("torch", "tensorflow")

Arrays = dict[str, np.ndarray]


class Loaded(Build):
    """A build that is filled from arrays."""

    def __init__(self, framework: str, folder: Path) -> None:
        super().__init__(network(SPEC), framework, folder)
        self.folder = folder

    def load(self, arrays: Arrays) -> list[str]:
        save_file(arrays, self.folder / "given.safetensors")
        return self.weights.load_weights(self.network, self.folder / "given.safetensors")

    def stored(self) -> Arrays:
        self.weights.save_weights(self.network, self.folder / "stored.safetensors")
        return load_file(self.folder / "stored.safetensors")


@pytest.fixture
def build(framework: str, tmp_path: Path) -> Loaded:
    return Loaded(framework, tmp_path)


def drawn() -> Arrays:
    return {k: v.astype("float32") for k, v in draw.weights(network(SPEC)).items()}


def same(left: Arrays, right: Arrays) -> bool:
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_is_loaded_is_what_is_saved(build: Loaded) -> None:
    assert not same(build.stored(), drawn())
    assert build.load(drawn()) == []
    assert same(build.stored(), drawn())
    assert not [*build.folder.glob("*.part")]


def kernel() -> str:
    return next(k for k, v in drawn().items() if v.ndim == 4 and v.shape[0] != v.shape[2])


def _changed(change: Callable[[np.ndarray], np.ndarray]) -> Arrays:
    return drawn() | {kernel(): np.ascontiguousarray(change(drawn()[kernel()]))}


def _without(name: str) -> Arrays:
    return {k: v for k, v in drawn().items() if k != name}


HEAD = network(SPEC).training_heads[0].name
WRONG = {
    "is missing": lambda: _without(kernel()),
    "is not a weight here": lambda: drawn() | {"Other/kernel": drawn()[kernel()]},
    "instead of (": lambda: _changed(lambda v: v.transpose(2, 3, 0, 1)),
    "float64 instead of": lambda: _changed(lambda v: v.astype("float64")),
    "int32": lambda: _changed(lambda v: v.astype("int32")),
    "values that are not finite": lambda: _changed(lambda v: np.where(v == v.max(), np.nan, v)),
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("problem", WRONG)
def test_a_wrong_file_is_refused_whole(build: Loaded, problem: str) -> None:
    before = build.stored()
    with pytest.raises(ValueError, match="does not fit") as error:
        build.load(WRONG[problem]())
    assert problem in str(error.value)
    assert ("Other/kernel" if "not a weight" in problem else kernel()) in str(error.value)
    assert same(build.stored(), before)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_training_head_may_be_absent_as_a_whole(build: Loaded) -> None:
    inside = [k for k in drawn() if k.startswith(f"{HEAD}/")]
    assert len(inside) > 1
    before = build.stored()
    assert build.load({k: v for k, v in drawn().items() if k not in inside}) == [HEAD]
    after = build.stored()
    assert same({k: after[k] for k in inside}, {k: before[k] for k in inside})
    assert same(after | {k: drawn()[k] for k in inside}, drawn())
    with pytest.raises(ValueError, match=f"{HEAD}/.* is missing"):
        build.load(_without(inside[0]))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_many_problems_are_counted(build: Loaded) -> None:
    with pytest.raises(ValueError, match=r"\n  and \d+ more$"):
        build.load({f"nothing_{n}": np.zeros(3, "float32") for n in range(9)})


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_what_pytorch_wraps_is_unwrapped(tmp_path: Path) -> None:
    import torch

    build = Loaded("torch", tmp_path)
    for wrapped in (torch.compile(build.network), torch.nn.DataParallel(build.network)):
        build.weights.save_weights(wrapped, tmp_path / "w.safetensors")
        assert same(load_file(tmp_path / "w.safetensors"), build.stored())
        assert build.weights.load_weights(wrapped, tmp_path / "w.safetensors") == []


def test_a_network_without_memory_is_refused(tmp_path: Path) -> None:
    import torch

    build = Loaded("torch", tmp_path)
    with pytest.raises(ValueError, match="has no memory yet: call `to_empty` first"):
        build.weights.load_weights(build.network.to(torch.device("meta")), tmp_path / "none")


def test_half_is_stored_as_float32_and_loaded_again(tmp_path: Path) -> None:
    build = Loaded("torch", tmp_path)
    build.load(drawn())
    build.network.bfloat16()
    stored = build.stored()
    assert {v.dtype for v in stored.values()} == {np.dtype("float32")}
    assert build.load(stored) == []
    assert same(build.stored(), stored)


def test_a_view_of_keras_loads_the_whole_file(tmp_path: Path) -> None:
    build = Loaded("tensorflow", tmp_path)
    view = build.model.inference(build.network)
    save_file(drawn(), tmp_path / "w.safetensors")
    assert build.weights.load_weights(view, tmp_path / "w.safetensors") == []
    build.weights.save_weights(view, tmp_path / "view.safetensors")
    found = load_file(tmp_path / "view.safetensors")
    heads = [head.name for head in network(SPEC).training_heads]
    assert same(found, {k: v for k, v in drawn().items() if k.partition("/")[0] not in heads})
    assert build.weights.load_weights(build.network, tmp_path / "view.safetensors") == heads


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_damaged_file_and_a_place_that_is_none(build: Loaded) -> None:
    path = build.folder / "cut.safetensors"
    save_file(drawn(), path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"cut\.safetensors is no whole safetensors file"):
        build.weights.load_weights(build.network, path)
    (build.folder / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        build.weights.save_weights(build.network, build.folder / "folder")
    assert not [*build.folder.glob("*.part")]
