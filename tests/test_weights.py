"""The neutral file: what is written is read back, and every fault has its code and its place."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from weights_kit import GAMMA, codes, errors, pair, raw, same, small, values

from archcompiler import weights
from archcompiler.ir import Network
from archcompiler.weights import header, problems


@pytest.fixture
def network() -> Network:
    return small()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "small.safetensors"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_written_is_read(network: Network, file: Path, dtype: str) -> None:
    tensors = values(network, dtype)
    backwards = dict(reversed(tensors.items()))
    weights.write(file, network, backwards)
    found = weights.read(file, network)
    assert same(found, tensors)
    assert list(found) == list(tensors), "in the order of the IR"


def test_other_libraries_read_it(network: Network, file: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file

    tensors = values(network)
    tensors["Stem/conv/kernel"] = tensors["Stem/conv/kernel"].T.copy().T  # not contiguous
    weights.write(file, network, tensors)
    assert same(load_file(file), tensors)
    with safe_open(file, "numpy") as opened:
        assert opened.metadata() == pair("small")


def test_the_mode_is_that_of_other_files(network: Network, file: Path) -> None:
    weights.write(file, network, values(network))
    other = file.with_name("other")
    other.write_bytes(b"")
    assert file.stat().st_mode == other.stat().st_mode
    assert sorted(os.listdir(file.parent)) == ["other", file.name]


def test_a_training_head_may_be_absent(network: Network, file: Path) -> None:
    tensors = {n: v for n, v in values(network).items() if not n.startswith("Side/")}
    weights.write(file, network, tensors)
    assert same(weights.read(file, network), tensors)


def test_half_a_training_head_is_missing_the_rest(network: Network, file: Path) -> None:
    tensors = values(network)
    del tensors["Side/Conv/bias"]
    [missing] = errors(lambda: weights.write(file, network, tensors))
    assert (missing.code, str(missing.position)) == ("E908", "small.yaml:29:10")
    weights.write(file, network, tensors, partial=True)
    assert codes(lambda: weights.read(file, network)) == ["E908"]
    assert same(weights.read(file, network, partial=True), tensors)


def test_nothing_is_replaced_unasked(network: Network, file: Path) -> None:
    file.write_bytes(b"precious")
    assert codes(lambda: weights.write(file, network, values(network))) == ["E917"]
    assert file.read_bytes() == b"precious"
    weights.write(file, network, values(network), force=True)
    assert same(weights.read(file, network), values(network))


def test_no_folder(network: Network, tmp_path: Path) -> None:
    file = tmp_path / "none" / "small.safetensors"
    assert codes(lambda: weights.write(file, network, values(network))) == ["E603"]


# Faults of the file


def test_every_length_is_noticed(network: Network, file: Path) -> None:
    whole = raw(values(network), pair("small"))
    length = int.from_bytes(whole[:8], "little")
    for size in (0, 7, 8, 20, 8 + length, 8 + length + 1, len(whole) - 1):
        file.write_bytes(whole[:size])
        [error] = errors(lambda: weights.read(file, network))
        assert error.code == "E901", size
        assert "cut off" in error.message
    file.write_bytes(whole + b"x")
    assert codes(lambda: weights.read(file, network)) == ["E901"]


@pytest.mark.parametrize(
    "text",
    [b"{", b"[]", b"1", b"\xff{}", b"[" * 100_000, b'{"a": 1}', b'{"a": {}}',
     b'{"__metadata__": 1}',
     b'{"__metadata__": {"a": 1}}',
     b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}',
     b'{"a": {"dtype": "F32", "shape": [true], "data_offsets": [0, 4]}}',
     b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}',
     b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}',
     b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}',
     b'{"a": {"dtype": 1, "shape": [1], "data_offsets": [0, 4]}}'],
)  # fmt: skip
def test_no_header(network: Network, file: Path, text: bytes) -> None:
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    assert codes(lambda: weights.read(file, network)) == ["E902"]


def test_another_kind_of_file(network: Network, file: Path) -> None:
    file.write_bytes(b"PK\x03\x04" + bytes(range(256)))
    assert codes(lambda: weights.read(file, network)) == ["E902"]


@pytest.mark.parametrize("kind", ["nothing", "folder"])
def test_no_file(network: Network, tmp_path: Path, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    assert codes(lambda: weights.read(tmp_path / kind, network)) == ["E101"]


@pytest.mark.parametrize(
    ("metadata", "word"),
    [(pair("other"), "another network"), ({"format": "pt"}, "own format"), ({}, "own format"),
     ({"format": "archc"}, "another network")],
)  # fmt: skip
def test_another_network(network: Network, file: Path, metadata: dict[str, str], word: str) -> None:
    file.write_bytes(raw(values(network), metadata))
    [error] = errors(lambda: weights.read(file, network))
    assert error.code == "E903"
    assert word in error.message


def test_another_shape(network: Network, file: Path) -> None:
    tensors = values(network)
    tensors["Mix_2/Left/conv/kernel"] = np.ones((1, 1, 2, 5), "f")
    tensors["Logits/fc/bias"] = np.ones((), "f")
    file.write_bytes(raw(tensors, pair("small")))
    first, second = errors(lambda: weights.read(file, network))
    assert first.code == second.code == "E904"
    assert "`Mix_2/Left/conv/kernel`" in first.message
    assert str(first.position) == "small.yaml:14:14"
    assert [row.value for row in first.rows] == ["1x1x2x5", "1x1x5x2"]
    assert [row.value for row in second.rows] == ["one number", "5"]


@pytest.mark.parametrize("dtype", ["float16", "int64"])
def test_another_dtype(network: Network, file: Path, dtype: str) -> None:
    tensors = values(network)
    tensors["Stem/norm/beta"] = np.ones(4, dtype)
    file.write_bytes(raw(tensors, pair("small")))
    [error] = errors(lambda: weights.read(file, network))
    assert (error.code, str(error.position)) == ("E905", "small.yaml:18:8")
    assert "`Stem/norm/beta`" in error.message
    file.unlink()
    assert codes(lambda: weights.write(file, network, tensors)) == ["E905"]
    assert not file.exists()


@pytest.mark.parametrize(
    ("value", "word"), [(math.nan, "NaN: 1 of"), (math.inf, "infinity"), (-math.inf, "infinity")]
)
def test_not_finite(network: Network, file: Path, value: float, word: str) -> None:
    tensors = values(network)
    tensors["Mix_1/Right/Conv/norm/moving_variance"][1] = value
    file.write_bytes(raw(tensors, pair("small")))
    [error] = errors(lambda: weights.read(file, network))
    assert (error.code, str(error.position)) == ("E906", "small.yaml:17:12")
    assert "`Mix_1/Right/Conv/norm/moving_variance`" in error.message
    assert word in error.message
    assert "the first at [1]" in error.message
    file.unlink()
    assert codes(lambda: weights.write(file, network, tensors)) == ["E906"]
    assert not file.exists()


def test_a_name_twice(network: Network, file: Path) -> None:
    def again(pairs: list[tuple[str, Any]]) -> None:
        name, entry = pairs[1]
        pairs.append((name, entry))

    file.write_bytes(raw(values(network), pair("small"), again))
    [error] = errors(lambda: weights.read(file, network))
    assert (error.code, str(error.position)) == ("E907", "small.yaml:18:8")
    assert "`Stem/conv/kernel`" in error.message


def test_missing_and_unknown(network: Network, file: Path) -> None:
    tensors = values(network)
    tensors["Stem/norm/bta"] = tensors.pop("Stem/norm/beta")
    del tensors["Logits/fc/kernel"], tensors["Logits/fc/bias"]
    file.write_bytes(raw(tensors, pair("small")))
    stem, logits, unknown = errors(lambda: weights.read(file, network))
    assert (stem.code, str(stem.position)) == ("E908", "small.yaml:18:8")
    assert "`Stem/norm/beta`" in stem.message
    assert "`Logits/fc/kernel` and 1 more of this layer" in logits.message
    assert [row.label for row in logits.rows] == ["Logits/fc/kernel", "Logits/fc/bias"]
    assert unknown.code == "E909"
    assert unknown.hint == "did you mean `Stem/norm/beta`?"


def test_all_faults_come_together(network: Network, file: Path) -> None:
    tensors = values(network)
    tensors["Stem/norm/beta"] = np.ones(4, "int64")
    tensors["Logits/fc/bias"] = np.ones(6, "f")
    tensors["more"] = tensors.pop("Side/Conv/bias")
    tensors["Mix_1/Left/norm/beta"][0] = math.inf
    file.write_bytes(raw(tensors, pair("small")))
    every = ["E904", "E905", "E906", "E908", "E909"]
    assert sorted(codes(lambda: weights.read(file, network))) == every
    other = file.with_name("other.safetensors")
    assert sorted(codes(lambda: weights.write(other, network, tensors))) == every
    assert not other.exists()


def test_a_variant_with_gamma_lacks_it(network: Network, file: Path) -> None:
    weights.write(file, network, values(network))
    found = errors(lambda: weights.read(file, small(GAMMA)))
    assert {d.code for d in found} == {"E908"}
    assert len(found) == 5
    assert all("/norm/gamma" in d.message for d in found)


def test_what_is_told_is_bounded(network: Network, file: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(problems, "MOST_COLLECTED", 500)
    file.write_bytes(raw({f"t{n}": np.ones((), "f") for n in range(600)}, pair("small")))
    found = errors(lambda: weights.read(file, network))
    assert len(found) == 501
    assert found[-1].message == "and 107 more problems"  # 7 layers lack theirs


def test_the_limit_of_a_header(network: Network, file: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(header, "MAX_HEADER", 10)
    file.write_bytes(raw(values(network), pair("small")))
    assert codes(lambda: weights.read(file, network)) == ["E902"]
