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
