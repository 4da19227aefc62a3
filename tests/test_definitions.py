"""What emitted classes and functions are called, and what their parameters are."""

from __future__ import annotations

import ast

import pytest
from emitted import files


def _definitions(name: str, framework: str) -> dict[str, ast.ClassDef | ast.FunctionDef]:
    """Return the classes or functions of the blocks of a network, by name."""
    tree = ast.parse(files(name, framework)["model.py"])
    found = [n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
    return {n.name: n for n in found}


def _docstring(node: ast.ClassDef | ast.FunctionDef) -> str:
    return " ".join((ast.get_docstring(node) or "").split())


@pytest.mark.parametrize(
    ("framework", "line"),
    [
        ("torch", "self.first = Block17_first(4)"),
        ("torch", "self.block17_1 = Block17(4)"),
        ("torch", "self.block17_2 = Block17_first(4)"),
        ("torch", "self.block17_3 = Block17_block17_3(4)"),
        ("torch", "block17_1=Block17_block17_1(4),"),
        ("torch", "block17_2=Block17_block17_2(4),"),
        ("torch", "self.last = Block17(4)"),
        ("torch", "self.B = SplitB_s1(in_channels)"),
        ("torch", "self.s3 = Split(6)"),
        ("torch", "self.o1 = Once_o1(6)"),
        ("torch", "self.p2 = Pair(4)"),
        ("tensorflow", 'x = block17_first(inputs, "first")'),
        ("tensorflow", 'x = block17(x, "block17_1")'),
        ("tensorflow", 'x = block17_first(x, "block17_2")'),
        ("tensorflow", 'x = block17_block17_1(x, "Repeat.block17_1")'),
        ("tensorflow", 'x = block17(x, "last")'),
        ("tensorflow", 'x = once_o1(x, "o1")'),
        ("tensorflow", 'x = pair(x, "p2")'),
    ],
)
def test_a_patched_instance_is_called_by_its_template_and_its_first_use(
    framework: str, line: str
) -> None:
    """What no patch addresses keeps the template's name, wherever it is used first."""
    text = files("patched_instances", framework)["model.py"]
    assert text.count(f"{line}\n") + text.count(f"{line}  #") == 1


@pytest.mark.parametrize(
    ("framework", "name", "said"),
    [
        ("torch", "Block17", "13x13x4 to 13x13x4."),
        (
            "torch",
            "Block17_first",
            "Block17 patched at sum, without up in first, block17_2: 13x13x4 to 13x13x4.",
        ),
        (
            "torch",
            "Block17_block17_2",
            "Block17 as patched in Repeat/block17_2: 13x13x4 to 13x13x4.",
        ),
        (
            "torch",
            "Block17_block17_3",
            "Block17 as patched in block17_3: 13x13x4 to 13x13x4.",
        ),
        (
            "tensorflow",
            "block17_block17_1",
            "block17 without down in Repeat/block17_1: 13x13x4 to 13x13x4.",
        ),
        ("torch", "SplitB_s1", "SplitB patched at left in s1/B: 13x13x4 to 13x13x4."),
        ("tensorflow", "split_s2", "split patched at A in s2: 13x13x6 to 13x13x6."),
    ],
)
def test_its_docstring_says_what_patches_change(framework: str, name: str, said: str) -> None:
    assert _docstring(_definitions("patched_instances", framework)[name]) == said


@pytest.mark.parametrize("name", ["two_structures", "repeats", "xception"])
def test_a_structure_that_arguments_ask_for_is_called_by_its_first_use(name: str) -> None:
    expected = {
        "two_structures": {"Reduce", "Reduce_inner", "Outer", "Outer_o3"},
        "repeats": {"Cell", "Cell_Mixed_5b", "Cell_cell_1", "Cell_i_cell_1"},
        "xception": {"Shrinking", "Shrinking_block3"},
    }[name]
    templates = {n.partition("_")[0] for n in expected}
    found = {n for n in _definitions(name, "torch") if n.partition("_")[0] in templates}
    assert found == expected


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_what_reads_the_same_is_written_once(framework: str) -> None:
    """A group without a name changes nothing of a use."""
    bodies = [
        ast.dump(ast.Module([*n.body[1:]], []))
        for n in _definitions("patched_instances", framework).values()
    ]
    assert len(bodies) == len({*bodies})


@pytest.mark.parametrize(
    ("framework", "lines"),
    [
        (
            "torch",
            (
                "def __init__(self, in_channels: int, w: int, k: int, rate: int) -> None:",
                "in_channels, in_channels // 4, kernel_size=k, padding=k // 2,",
                "in_channels // 4, w * 2, kernel_size=3, padding=rate, dilation=rate,",
                "kernel_size=(1, 5), padding=(0, rate * 2), dilation=rate,",
                "kernel_size=k, padding=rate * (k - 1) // 2, dilation=rate,",
                "self.s1 = Strided(22, w=8)",
                "self.inner = Mix(in_channels, w=w, k=3, rate=1)",
                "self.after = ConvNormRelu(4 + w * 3, 8, kernel_size=1)",
                "self.f1 = Fixed(8, k=3)",
                "kernel_size=k, padding=1)",
                "self.h1 = Shared(8)",
                "self.o2 = Outer(8, w=2)",
                "one=ConvNormRelu( in_channels, 4, kernel_size=b_one_kernel_size, "
                "padding=b_one_kernel_size // 2, ),",
                "self.p2 = Plain(8, b_one_kernel_size=3)",
            ),
        ),
        (
            "tensorflow",
            (
                'b = conv_norm_relu(b, f"{name}.B.two", w * 2, 3, dilation_rate=rate)',
                "def fixed(x: KerasTensor, name: str) ",
                "def shared(x: KerasTensor, name: str, rate: float) ",
                'x = mix(x, "m2", w=6, k=3, rate=2, b_one_filters=4)',
            ),
        ),
    ],
)
def test_a_parameter_does_what_it_says(framework: str, lines: tuple[str, ...]) -> None:
    """What depends on it is written so; where it cannot be, the parameter is none."""
    text = " ".join(files("honest_parameters", framework)["model.py"].split())
    assert [line for line in lines if line not in text] == []


def test_end_points_stay_a_loop_where_some_layers_are_none() -> None:
    """No layer hides a parameter of the network, either."""
    text = files("skipped_layers", "torch")["model.py"]
    assert 'SKIPPED = ("dropout_1", "hidden", "dropout_2", "activate")' in text
    assert "if name not in SKIPPED:\n                points[name] = x\n" in text
    assert 'points["Side"] = self.Side(points["two"])' in text
    assert 'points["Logits"] = self.Logits(x)' in text
    assert "self.dropout_1 = nn.Dropout(0.1)" in text
    assert 'name="dropout_1"' in files("skipped_layers", "tensorflow")["model.py"]


def test_what_is_said_of_training_is_so() -> None:
    """A network with a head for training alone says so, and one without does not."""
    for name, heads in (("inception_v3", True), ("skipped_layers", False)):
        torch, keras = (files(name, f)["model.py"] for f in ("torch", "tensorflow"))
        assert ("the training-only heads included" in torch) == heads
        assert ('"""Weighted cross entropy' in torch) == heads
        assert ('"""Weighted cross entropy' in keras) == heads
