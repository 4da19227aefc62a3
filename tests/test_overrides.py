"""What the command line may change, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcompiler.compiler import compile_file
from archcompiler.errors import ArchcError
from archcompiler.ir import Network
from archcompiler.overrides import parse_assignment

SPEC = Path(__file__).parent.parent / "specs" / "inception_v3.yaml"


def changed(*words: str) -> Network:
    return compile_file(SPEC, [parse_assignment(w) for w in words]).network


def test_the_weight_of_a_head() -> None:
    (head,) = changed("AuxLogits.loss_weight=0.25").training_heads
    assert head.loss_weight == 0.25


def test_end_points_and_references() -> None:
    network = changed("Mixed_5b.end_point=false", "AuxLogits.from=Mixed_6d")
    assert "Mixed_5b" not in [e.name for e in network.end_points]
    (head,) = network.training_heads
    assert head.node.inputs[0].name == "Mixed_6d"


def test_templates_come_before_instances() -> None:
    target = "Mixed_6b/Branch_0/Conv2d_0a_1x1"
    both = ("blocks/inception_b/Branch_0/Conv2d_0a_1x1.conv=96", f"{target}.conv=48")
    for words in (both, both[::-1]):
        filters = {n.path: n.output.channels for n in changed(*words).walk()}
        assert filters[target] == 48
        assert filters[target.replace("6b", "6c")] == 96


def test_changes_are_remembered_in_order() -> None:
    network = changed("num_classes=7", "input=139x139")
    assert network.origin == "inception_v3.yaml num_classes=7 input=139x139"
    assert network.command_for_size("torch") == (
        "archc build inception_v3 -b torch num_classes=7 input=HxW"
    )
    assert changed().origin == "inception_v3.yaml"


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("AuxLogits.loss_weight=-1", "E204"),
        ("Logits.loss_weight=1", "E209"),
        ("Mixed_5b.end_point=maybe", "E204"),
        ("Mixed_5b.repeat=2", "E310"),
        ("Mixed_5b.name=b", "E310"),
        ("AuxLogits.from=[Mixed_6d, 3]", "E204"),
        ("AuxLogits.from=Mixed_6z", "E302"),
        ("dropout=.inf", "E204"),
        ("nowhere.kernel=3", "E310"),
    ],
)
def test_what_is_refused_points_into_the_argument(word: str, code: str) -> None:
    with pytest.raises(ArchcError) as failure:
        changed(word)
    (found,) = failure.value.diagnostics
    assert found.code == code
    assert found.position is not None
    assert found.position.source.text == word
    assert found.position.column <= len(word) + 1


def test_a_mistake_outside_the_argument_names_it() -> None:
    with pytest.raises(ArchcError) as failure:
        changed("AuxLogits.loss_weight=")
    (found,) = failure.value.diagnostics
    assert found.code == "E205"
    (row,) = found.rows
    assert row.position is not None
    assert row.position.source.text == "AuxLogits.loss_weight="


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("Mixed_5b/Branch_0/Conv2d_0a_1x1=3", "`Mixed_5b/Branch_0/Conv2d_0a_1x1.conv=3`"),
        ("Conv2d_1a_3x3=16", "`Conv2d_1a_3x3.conv=16`"),
        ("nowhere/at/all=3", "it has num_classes, dropout, "),
        ("num_clases=3", "did you mean `num_classes`?"),
    ],
)
def test_a_path_without_an_attribute(word: str, hint: str) -> None:
    with pytest.raises(ArchcError) as caught:
        changed(word)
    (found,) = caught.value.diagnostics
    assert (found.code, found.position and found.position.column) == ("E310", 1)
    assert hint in (found.hint or "")


@pytest.mark.parametrize("dots", [17, 3_000])
def test_an_assignment_that_is_too_deep(dots: int) -> None:
    with pytest.raises(ArchcError) as caught:
        changed(f"F.defaults.conv{'.conv' * (dots - 2)}=3")
    assert [d.code for d in caught.value.diagnostics] == ["E704"]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "word", ["input=99999999999x1", "input=3000000000", "input=2147483648,9", "stem=99999999999x1"]
)
def test_a_number_that_is_too_large(word: str) -> None:
    with pytest.raises(ArchcError) as caught:
        changed(word.replace("stem", "Conv2d_1a_3x3.kernel"))
    (found,) = caught.value.diagnostics
    assert (found.code, found.hint) == ("E204", "at most 2,147,483,647 each")
    assert found.message.endswith(f"got '{word.partition('=')[2]}'")


def test_the_largest_number_is_a_size() -> None:
    with pytest.raises(ArchcError) as caught:
        changed("input=2147483647x2147483647")
    assert {d.code for d in caught.value.diagnostics} == {"E410"}


@pytest.mark.parametrize("value", ["#", "##[x]", " # 3"])
def test_a_comment_is_no_value(value: str) -> None:
    with pytest.raises(ArchcError) as caught:
        changed(f"dropout={value}")
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("E704", f"`{value}` is a comment, and no value")


@pytest.mark.parametrize("slashes", [64, 30_000])
def test_a_path_that_is_too_deep(slashes: int) -> None:
    word = f"a{'/a' * slashes}.conv=3"
    with pytest.raises(ArchcError) as caught:
        changed(word)
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("E704", "nothing is deeper than 64 names")
    assert found.position is not None
    assert found.position.source.text == word
    assert caught.value.exit_code == 2
    with pytest.raises(ArchcError) as caught:
        changed(f"a{'/a' * 63}.conv=3")
    assert [d.code for d in caught.value.diagnostics] == ["E310"]
