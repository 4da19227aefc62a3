"""`archc verify` with real frameworks: what agrees is let through, what differs is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from archc_tensorflow import TensorflowBackend
from archc_torch import TorchBackend
from archcompiler import draw, verdict, weights
from archcompiler.backend import Backend
from archcompiler.compiler import compile_file, compile_node
from archcompiler.ir import Network
from archcompiler.locate import locate
from archcompiler.parity import WAYS, Training
from archcompiler.source import parse
from archcompiler.verify import Verified, verify

SPEC = """\
archc: 1
name: small
input: 12x12x3
defaults:
  conv: {padding: same, norm: batch_norm, activation: relu, weight_decay: 1e-2}
  batch_norm: {epsilon: 1e-3, decay: 0.9, gamma: true}
  avg_pool: {padding: same, stride: 1}
blocks:
  mixed:
    branches:
      Branch_0: {conv: 4, kernel: 1}
      Branch_1:
        - {conv: 4, kernel: 3, name: First}
        - {avg_pool: 3, name: Pool}
        - {conv: 4, kernel: 1, name: Second}
stem: {conv: 8, kernel: 3, stride: 2, name: Stem}
body:
  - {block: mixed, name: Mixed_1}
  - {block: mixed, name: Mixed_2}
heads:
  Side:
    from: Mixed_1
    training_only: true
    loss_weight: 0.5
    layers: [global_avg_pool, {dense: 5, name: fc}]
  Logits: [global_avg_pool, {dropout: 0.5}, {dense: 5, name: fc}]
"""
ROOT = Path(__file__).parents[1]


class Patched(TorchBackend):
    """The torch backend with one line of its code replaced."""

    names = TorchBackend.names | {"torch.nn.functional.no_such_loss"}

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def emit(self, network: Network) -> dict[str, str]:
        files = super().emit(network)
        assert self.old in files["model.py"]
        return files | {"model.py": files["model.py"].replace(self.old, self.new)}


def small(spec: str = SPEC) -> Network:
    return compile_node(parse(spec, "small.yaml"), source="small.yaml").network


def run(other: Backend, *, train: bool = False) -> Verified:
    return verify(small(), [TensorflowBackend(), other], train=train)


def test_an_only_backend_is_held_to_the_definitions() -> None:
    good = verify(small(), [TorchBackend()])
    assert not good.differences
    assert good.agreements[0].titles == ("PyTorch", "the definitions")
    broken = verify(small(), [Patched("eps=0.001", "eps=0.01")])
    assert [d.message for d in broken.differences] == [
        "PyTorch and the definitions give different numbers at `Stem`"
    ]


def test_numbers_and_steps_agree() -> None:
    network, both = small(), [TorchBackend(), TensorflowBackend()]
    verified = verify(network, both, ["float32", "float64"], train=True)
    assert not verified.differences
    points = [p.name for p in network.end_points]
    assert [a.dtype for a in verified.agreements] == ["float32", "float64"]
    assert all([*a.differences] == points for a in verified.agreements)
    assert 0 < verified.agreements[0].differences["Logits"] < 1e-5
    assert verified.agreements[1].differences["Logits"] < 1e-12
    locked, free = verified.trainings
    assert locked.apart.keys() == free.apart.keys()
    assert len(locked.apart) == sum(w.trainable for n in network.walk() for w in n.weights)
    assert len(locked.statistics) == 7
    assert locked.losses[-1] < locked.losses[0]
    said = list(verdict.lines(network, both, verified))
    assert max(map(len, said)) <= 80
    assert "  end point  shape    float32    float64" in said


def test_the_first_layer_that_differs_is_named_inside_its_block() -> None:
    verified = run(Patched("count_include_pad=False", "count_include_pad=True"))
    (found,) = verified.differences
    assert found.code == "E804"
    assert found.message == (
        "PyTorch and TensorFlow give different numbers at `Mixed_1/Branch_1/Pool`"
    )
    assert found.position is not None
    assert found.position.line == 14
    torch, tensorflow, first, count = found.rows
    assert torch.label == "PyTorch"
    assert float(torch.value.split()[0]) > 0.01
    assert tensorflow.label == "TensorFlow"
    assert float(tensorflow.value.split()[0]) < 1e-6
    assert first.label == "Mixed_1"
    assert count.value == "4 of 5 end points are beyond 1e-05"
    (agreement,) = verified.agreements
    assert agreement.beyond == ("Mixed_1", "Mixed_2", "Side", "Logits")


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        pytest.param(
            *("weight_decay: float = WEIGHT_DECAY", "weight_decay: float = 0.0", "conv/kernel"),
            id="decay",
            marks=pytest.mark.long,
        ),
        pytest.param("0.5 * ", "0.6 * ", "Side/fc/kernel", id="loss_weight"),
        pytest.param(
            *("momentum=0.1", "momentum=0.11", "moving_variance"),
            id="momentum",
            marks=pytest.mark.long,
        ),
    ],
)
def test_steps_that_differ_are_told(old: str, new: str, names: str) -> None:
    verified = run(Patched(old, new), train=True)
    assert {d.code for d in verified.differences} == {"E805"}
    assert any(names in d.message for d in verified.differences)


def test_a_map_has_no_loss() -> None:
    spec = SPEC[: SPEC.index("heads:")] + "heads: {Maps: {conv: 2, kernel: 1}}\n"
    verified = verify(small(spec), [TorchBackend(), TensorflowBackend()], train=True)
    (found,) = verified.differences
    assert found.code == "E806"
    assert "has no loss to train with" in found.message
    assert verified.agreements, "the end points are compared all the same"


def test_a_step_that_fails_is_told() -> None:
    verified = run(Patched("F.cross_entropy(output", "F.no_such_loss(output"), train=True)
    (found,) = verified.differences
    assert found.message.startswith("PyTorch cannot train `small`: AttributeError")


def test_nothing_beside_the_user_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("safetensors", "model", "weights", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from here')\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert not verify(small(), [TorchBackend()]).differences


def test_a_variance_that_is_no_number_is_told() -> None:
    network = small()
    training = Training(
        network=network,
        reference=TorchBackend(),
        other=TensorflowBackend(),
        way=WAYS[0],
        losses=(1.0, 1.0),
        apart={},
        statistics={"Stem/norm/moving_variance": float("nan")},
    )
    (found,) = training.differences()
    assert found.message == "TensorFlow and PyTorch train `Stem/norm/moving_variance` differently"


def test_code_that_fails_is_told() -> None:
    verified = run(Patched("def end_points(self, x: Tensor)", "def end_points(self)"))
    assert {d.code for d in verified.differences} == {"E803"}


@pytest.mark.long
def test_a_narrow_inception_v3_trains_alike() -> None:
    words = ["width=0.1", "input=139x139", "num_classes=10"]
    spec = ROOT / "specs" / "inception_v3.yaml"
    network = compile_file(spec, locate(words).assignments).network
    verified = verify(network, [TorchBackend(), TensorflowBackend()], ["float64"], train=True)
    assert not verified.differences
    locked, free = verified.trainings
    assert max(locked.apart.values()) <= 1e-11
    assert max(free.apart.values()) <= 1e-12
    assert max(locked.statistics.values()) <= 1e-9


def test_given_weights_are_what_is_compared(tmp_path: Path) -> None:
    """A norm of huge variance leaves only the shift, which hides the epsilon that is wrong."""
    network = small()
    drawn = draw.weights(network)
    drawn["Stem/norm/moving_variance"] = drawn["Stem/norm/moving_variance"] * 1e30
    weights.write(tmp_path / "w.safetensors", network, drawn)
    broken = Patched("eps=0.001", "eps=0.01")
    given = weights.read(tmp_path / "w.safetensors", network)
    (found,) = verify(network, [broken], given=given).differences
    assert found.message.endswith("at `Mixed_1/Branch_0`")
