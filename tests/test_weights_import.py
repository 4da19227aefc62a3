"""Import and export of a small network: what is converted, refused, allowed and told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from weights_kit import (
    COUNTS,
    GAMMA,
    MAP,
    Tensors,
    codes,
    errors,
    raw,
    same,
    small,
    values,
)

from archcompiler import weights
from archcompiler.ir import Network

CHANNELS_FIRST = (3, 2, 0, 1)


@pytest.fixture
def network() -> Network:
    return small(COUNTS)


@pytest.fixture
def theirs(network: Network) -> Tensors:
    """The weights of the other library, made from ours by hand, with what it has beside them."""
    ours = values(network)
    layers = {"conv0": "Stem", "mix1.b0": "Mix_1/Left", "mix1.b1": "Mix_1/Right/Conv",
              "mix2.b0": "Mix_2/Left", "mix2.b1": "Mix_2/Right/Conv"}  # fmt: skip
    found: Tensors = {}
    for word, path in layers.items():
        found[f"{word}.conv.weight"] = ours[f"{path}/conv/kernel"].transpose(CHANNELS_FIRST)
        found[f"{word}.bn.weight"] = np.ones_like(ours[f"{path}/norm/beta"])
        found[f"{word}.bn.bias"] = ours[f"{path}/norm/beta"]
        found[f"{word}.bn.running_mean"] = ours[f"{path}/norm/moving_mean"]
        found[f"{word}.bn.running_var"] = ours[f"{path}/norm/moving_variance"]
        found[f"{word}.bn.num_batches_tracked"] = np.array(7)
    found["aux.weight"] = ours["Side/Conv/kernel"][0, 0].T
    found["aux.bias"] = ours["Side/Conv/bias"]
    hidden = ours["Logits/Hidden/dense/kernel"].reshape(4, 3, 4, 7)
    found["fc1.weight"] = hidden.transpose(CHANNELS_FIRST).reshape(7, 48)
    found["fc1.bias"] = ours["Logits/Hidden/dense/bias"]
    found["fc2.weight"] = ours["Logits/fc/kernel"].T
    found["fc2.bias"] = ours["Logits/fc/bias"]
    return {name: np.ascontiguousarray(value) for name, value in found.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "theirs.safetensors"


def taken(file: Path, network: Network, theirs: Tensors, **allowed: Any) -> weights.Imported:
    file.write_bytes(raw(theirs, {}))
    return weights.import_weights(file, network, map_file=MAP, **allowed)


def refused(file: Path, network: Network, theirs: Tensors, **allowed: Any) -> Any:
    return errors(lambda: taken(file, network, theirs, **allowed))


def test_import_and_export_again(network: Network, theirs: Tensors, file: Path) -> None:
    imported = taken(file, network, theirs)
    assert same(imported.tensors, values(network))
    back = file.with_name("back.safetensors")
    report = weights.export_weights(back, network, imported.tensors, map_file=MAP)
    found = weights.neutral.safetensors_file.read(back)
    wanted = {n: v for n, v in theirs.items() if not n.endswith("tracked")}
    assert same(found, wanted)
    assert len(report.filled) == 5, "gammas that we have not"


def test_report(network: Network, theirs: Tensors, file: Path) -> None:
    report = taken(file, network, theirs).report
    assert len(report.used) == 26
    assert len(report.ignored) == 5
    assert len(report.dropped) == 5
    assert not report.unused + report.missing + report.filled
    assert {one.tensor: one.reshaped for one in report.reshaped} == {
        "aux.weight": "dense to convolution",
        "fc1.weight": "rows: C, H, W to H, W, C",
    }
    assert all(len(line) <= 80 for line in report.text().splitlines())
    assert report.document()["notes"] == ["Images are in BGR."]


def test_gamma_is_kept_where_there_is_one(theirs: Tensors, file: Path) -> None:
    theirs["conv0.bn.weight"] *= 3
    found = taken(file, small(COUNTS, GAMMA), theirs).tensors
    assert (found["Stem/norm/gamma"] == 3).all()


def test_gamma_without_a_place(network: Network, theirs: Tensors, file: Path) -> None:
    theirs["mix2.b0.bn.weight"][1] = 1 + 1e-6
    [error] = refused(file, network, theirs)
    assert (error.code, str(error.position)) == ("E913", "small.yaml:14:14")
    assert "`mix2.b0.bn.weight`" in error.message


def without_gamma(tmp_path: Path) -> Path:
    path = tmp_path / "small.plain.yaml"
    lines = MAP.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "gamma" not in line), "utf-8")
    return path


def test_a_source_without_gamma(theirs: Tensors, file: Path, tmp_path: Path) -> None:
    network, names = small(COUNTS, GAMMA), without_gamma(tmp_path)
    file.write_bytes(raw({n: v for n, v in theirs.items() if ".bn.weight" not in n}, {}))
    imported = weights.import_weights(file, network, map_file=names)
    assert len(imported.report.filled) == 5
    assert (imported.tensors["Stem/norm/gamma"] == 1).all()
    back = tmp_path / "back.safetensors"
    report = weights.export_weights(back, network, imported.tensors, map_file=names)
    assert len(report.dropped) == 5
    imported.tensors["Stem/norm/gamma"][0] = 2
    other = tmp_path / "other.safetensors"
    call = lambda: weights.export_weights(other, network, imported.tensors, map_file=names)  # noqa: E731
    assert codes(call) == ["E913"]
    assert not other.exists()


def test_missing(network: Network, theirs: Tensors, file: Path) -> None:
    del theirs["conv0.bn.bias"], theirs["fc2.weight"], theirs["fc2.bias"]
    stem, logits = refused(file, network, theirs)
    assert (stem.code, str(stem.position)) == ("E908", "small.yaml:18:8")
    assert [row.label for row in logits.rows] == ["fc2.weight", "fc2.bias"]
    imported = taken(file, network, theirs, allow_missing=True)
    assert imported.report.missing == ["Stem/norm/beta", "Logits/fc/kernel", "Logits/fc/bias"]
    assert len(imported.tensors) == 23


def test_unused(network: Network, theirs: Tensors, file: Path) -> None:
    theirs["conv0.bn.bais"] = theirs.pop("conv0.bn.bias")
    missing, unused = refused(file, network, theirs)
    assert (missing.code, unused.code) == ("E908", "E909")
    assert unused.hint == "did you mean `conv0.bn.bias`?"
    theirs["conv0.bn.bias"] = theirs["conv0.bn.bais"]
    imported = taken(file, network, theirs, allow_unused=True)
    assert imported.report.unused == ["conv0.bn.bais"]
    assert same(imported.tensors, values(network))


def test_a_layer_that_the_map_does_not_name(theirs: Tensors, file: Path) -> None:
    more = small(COUNTS, ("    - {dense: $num_classes, name: fc}",
                          "    - {dense: 7, name: New}\n    - {dense: 5, name: fc}"))  # fmt: skip
    [error] = refused(file, more, theirs)
    assert error.code == "E908"
    assert error.message == "the map lacks `Logits/New/kernel` and 1 more of this layer"


def test_shape(network: Network, theirs: Tensors, file: Path) -> None:
    theirs["conv0.conv.weight"] = theirs["conv0.conv.weight"].transpose(0, 1, 3, 2)
    theirs["fc1.weight"] = theirs["fc1.weight"][:, :-1]
    conv, dense = refused(file, network, theirs)
    assert conv.code == dense.code == "E904"
    assert [row.value for row in conv.rows] == ["4x3x2x3", "3x2x3x4"]
    assert [row.value for row in dense.rows] == ["7x47", "48x7"]


def test_a_kernel_of_pixels_is_no_dense(network: Network, theirs: Tensors, file: Path) -> None:
    network = small(COUNTS, ("{conv: $wide, kernel: 1}", "{conv: $wide, kernel: 2x1}"))
    theirs["mix1.b0.conv.weight"] = np.ones((3, 8), "f")
    theirs["mix2.b0.conv.weight"] = np.ones((2, 5, 2, 1), "f")
    [error] = refused(file, network, theirs)
    assert error.code == "E904"
    assert "`mix1.b0.conv.weight`" in error.message


def test_dtypes(network: Network, theirs: Tensors, file: Path) -> None:
    theirs["fc2.bias"] = theirs["fc2.bias"].astype("float16")
    theirs["aux.bias"] = theirs["aux.bias"].astype("float64")
    found = taken(file, network, theirs).tensors
    assert found["Logits/fc/bias"].dtype == np.float32
    assert (found["Logits/fc/bias"] == theirs["fc2.bias"]).all()
    assert found["Side/Conv/bias"].dtype == np.float64
    theirs["fc2.bias"] = np.ones(5, "int64")
    [error] = refused(file, network, theirs)
    assert (error.code, str(error.position)) == ("E905", "small.yaml:34:8")


def test_not_finite(network: Network, theirs: Tensors, file: Path) -> None:
    theirs["mix2.b1.bn.running_var"][0] = math.nan
    [error] = refused(file, network, theirs)
    assert (error.code, str(error.position)) == ("E906", "small.yaml:17:12")
    assert "`mix2.b1.bn.running_var`" in error.message


def test_another_function(theirs: Tensors, file: Path) -> None:
    plain = small()
    [error] = refused(file, plain, theirs)
    assert (error.code, str(error.position)) == ("E912", "small.yaml:16:12")
    assert error.hint is not None
    assert "`count_include_pad: true`" in error.hint
    assert same(taken(file, plain, theirs, allow_different=True).tensors, values(plain))
    out = file.with_name("out.safetensors")
    call = lambda: weights.export_weights(out, plain, values(plain), map_file=MAP)  # noqa: E731
    assert codes(call) == ["E912"]
    weights.export_weights(out, plain, values(plain), map_file=MAP, allow_different=True)


def background(theirs: Tensors) -> Tensors:
    def more(value: Any) -> Any:
        return np.concatenate([np.full_like(value[:1], 9), value])

    names = ("aux.weight", "aux.bias", "fc2.weight", "fc2.bias")
    return theirs | {name: more(theirs[name]) for name in names}


def test_background(network: Network, theirs: Tensors, file: Path) -> None:
    more = background(theirs)
    found = refused(file, network, more)
    assert {d.code for d in found} == {"E904"}
    assert len(found) == 4
    assert all("`--drop-background`" in d.hint and "num_classes=6" in d.hint for d in found)
    imported = taken(file, network, more, drop_background=True)
    assert same(imported.tensors, values(network))
    assert {one.tensor: one.reshaped for one in imported.report.reshaped} == {
        "aux.weight": "dense to convolution; class 0 dropped",
        "aux.bias": "class 0 dropped",
        "fc1.weight": "rows: C, H, W to H, W, C",
        "fc2.weight": "class 0 dropped",
        "fc2.bias": "class 0 dropped",
    }


def test_no_background(network: Network, theirs: Tensors, file: Path) -> None:
    found = refused(file, network, theirs, drop_background=True)
    assert [d.code for d in found] == ["E916"] * 4
    half = background(theirs) | {n: theirs[n] for n in ("aux.weight", "aux.bias")}
    found = refused(file, network, half, drop_background=True)
    assert ["Side/Conv" in d.message for d in found] == [True, True]


def test_one_class_more_elsewhere_is_no_background(
    network: Network, theirs: Tensors, file: Path
) -> None:
    more = background(theirs)
    more["fc1.bias"] = np.ones(8, "f")
    [error] = refused(file, network, more, drop_background=True)
    assert (error.code, error.hint) == ("E904", None)


def test_all_problems_come_together(network: Network, theirs: Tensors, file: Path) -> None:
    theirs["conv0.bn.weight"][0] = 2
    theirs["fc2.bias"] = np.ones(6, "f")
    theirs["new"] = theirs.pop("aux.bias")
    theirs["mix1.b0.bn.bias"][0] = math.inf
    found = refused(file, network, theirs)
    assert sorted(d.code for d in found) == ["E904", "E906", "E908", "E909", "E913"]


def test_export_of_what_is_not_all(network: Network, theirs: Tensors, file: Path) -> None:
    tensors = {n: v for n, v in values(network).items() if n != "Side/Conv/bias"}
    [error] = errors(lambda: weights.export_weights(file, network, tensors, map_file=MAP))
    assert (error.code, str(error.position)) == ("E908", "small.yaml:29:10")
    assert not file.exists()
    report = weights.export_weights(file, network, tensors, map_file=MAP, allow_missing=True)
    assert report.missing == ["Side/Conv/bias"]


def test_a_training_head_may_be_absent_as_a_whole(network: Network, file: Path) -> None:
    tensors = {n: v for n, v in values(network).items() if not n.startswith("Side")}
    report = weights.export_weights(file, network, tensors, map_file=MAP)
    assert report.missing == ["Side/Conv/kernel", "Side/Conv/bias"]
    imported = weights.import_weights(file, network, map_file=MAP)
    assert same(imported.tensors, tensors)
    assert imported.report.missing == report.missing


def test_a_dense_kernel_for_a_convolution_of_the_whole_map(file: Path) -> None:
    network = small(COUNTS, ("    - flatten\n    - {dense: 7, activation: relu, name: Hidden}",
        "    - {conv: 7, kernel: map, padding: valid, norm: none, name: Hidden}\n"
        "    - squeeze"))  # fmt: skip
    tensors = values(network)
    weights.export_weights(file, network, tensors, map_file=MAP)
    found = weights.neutral.safetensors_file.read(file)
    kernel = tensors["Logits/Hidden/conv/kernel"]
    assert kernel.shape == (4, 3, 4, 7)
    assert (found["fc1.weight"] == kernel.transpose(CHANNELS_FIRST).reshape(7, 48)).all()
    assert same(weights.import_weights(file, network, map_file=MAP).tensors, tensors)
