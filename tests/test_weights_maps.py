"""Name maps: what they say is found, and what they say wrongly has a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from weights_kit import CASES, MAP, codes, errors, small

from archcompiler.backend import backend_names
from archcompiler.compiler import compile_file
from archcompiler.locate import shipped
from archcompiler.weights import pattern
from archcompiler.weights.mapfile import read_map
from archcompiler.weights.plan import plan
from archcompiler.weights.requirements import differences
from archcompiler.weights.sources import find_plan, shipped_maps, sources

ROOT = Path(__file__).parents[1]


def names_of(text: str) -> list[str]:
    return [name for name, _ in pattern.names(text)]


def test_patterns() -> None:
    assert names_of("a") == ["a"]
    assert names_of("a_{1, 2}/{b,c}") == ["a_1/b", "a_1/c", "a_2/b", "a_2/c"]
    for key, value, wanted in (
        ("x{1,2}", "y{}", ["y1", "y2"]),
        ("x{1,2}", "y{a,b}", ["ya", "yb"]),
        ("x{1,2}/z{p,q}", "{}-{8,9}", ["1-8", "1-9", "2-8", "2-9"]),
        ("x{1,2}", "same", ["same", "same"]),
    ):
        assert [pattern.fill(value, picks) for _, picks in pattern.names(key)] == wanted


@pytest.mark.parametrize("text", ["a{b", "a}b", "a{b,,c}", "{}", "a{{b}}"])
def test_wrong_patterns(text: str) -> None:
    with pytest.raises(pattern.PatternError):
        pattern.names(text)


@pytest.mark.parametrize("value", ["{}{}", "{a,b,c}", "y{"])
def test_values_that_do_not_fit(value: str) -> None:
    [(_, picks), _] = pattern.names("x{1,2}")
    with pytest.raises(pattern.PatternError):
        pattern.fill(value, picks)


def test_a_map_settles() -> None:
    found = plan(read_map(MAP), small())
    names = {match.ours: match.theirs for match in found.matches}
    assert names["Stem/conv/kernel"] == "conv0.conv.weight"
    assert names["Mix_2/Right/Conv/norm/beta"] == "mix2.b1.bn.bias"
    assert names["Mix_2/Right/Conv/norm/gamma"] == "mix2.b1.bn.weight"  # theirs alone
    assert names["Logits/fc/kernel"] == "fc2.weight"
    assert not found.nameless
    assert not found.without
    assert found.ignores("mix1.b0.bn.num_batches_tracked")
    assert not found.ignores("mix1.b0.bn.weight")


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_map_fits_its_network(name: str) -> None:
    network = compile_file(shipped()[name]).network
    own = {s for s, p in shipped_maps(network).items() if p.name.startswith(f"{name}.")}
    for source in (*own, *backend_names()):
        found = find_plan(network, source)
        assert found.matches
        assert not found.nameless, f"{name}.{source}.yaml lacks these"
        taken = [m.ours for m in found.matches] + [n.weight_name(w) for n, w in found.without]
        every = [n.weight_name(w) for n in network.walk() for w in n.weights]
        assert sorted(n for n in taken if n in every) == sorted(every), "each once"
        theirs = [m.theirs for m in found.matches if m.theirs]
        assert len(theirs) == len(set(theirs))


def test_shipped_maps_are_told_by_their_names() -> None:
    files = sorted((ROOT / "specs" / "weights").iterdir())
    for path in files:
        names = read_map(path)
        assert path.name == f"{names.network}.{names.source}.yaml"
        network = compile_file(shipped()[names.network]).network
        assert shipped_maps(network)[names.source] == path
    googlenet = compile_file(shipped()["googlenet"]).network
    assert set(sources(googlenet)) == {*backend_names()} == {"tensorflow", "torch"}


def test_a_variant_has_the_maps_of_what_it_extends() -> None:
    base = compile_file(shipped()["inception_v3"]).network
    variant = compile_file(shipped()["inception_v3_torchvision"]).network
    assert variant.lineage == ("inception_v3",)
    assert shipped_maps(variant).items() >= shipped_maps(base).items()
    found = find_plan(variant, "torchvision")
    assert not found.nameless
    assert {m.theirs for m in found.matches} >= {"fc.weight", "AuxLogits.fc.bias"}


def test_shipped_maps_are_small() -> None:
    for path in (ROOT / "specs" / "weights").iterdir():
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) < 100
        assert all(len(line) <= 100 for line in lines)


def test_alternatives_serve_other_names() -> None:
    found = plan(read_map(MAP), small(("name: fc}", "name: Dense}")))
    names = {match.ours: match.theirs for match in found.matches}
    assert names["Logits/Dense/kernel"] == "fc2.weight"


GOOD = MAP.read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("archc_map: 1", "archc_map: 2", 1, "archc_map: 1"),
        ("archc_map: 1", "archc: 1", 1, "no `archc`"),
        ("network: small\n", "", 1, "says `network`"),
        ("network: small", "network: large", 1, "another network"),
        ("layout: torch\n", "", 1, "says `layout`"),
        ("layout: torch", "layout: troch", 5, "no layout"),
        ("layout: torch", "layot: torch", 5, "no `layot`"),
        ("  conv:\n", "  cnov:\n", 7, "no `cnov`"),
        ("    beta:", "    bta:", 9, "no `bta`"),
        ('"{}.bn.bias"', "bn.bias", 9, "one `{}`"),
        ('"{}.bn.bias"', '"{}.{}"', 9, "one `{}`"),
        ("mix{}.b0", "mix{1,2,3}.b0", 16, "3 alternatives"),
        ("mix{}.b0", "mix{}{}.b0", 16, "more groups"),
        ("Mix_{1,2}/Left", "Mix_{1,2/Left", 16, "brace"),
        ("Logits/fc | Logits/Dense", "Logits/fc | Logits/{a,b}", 20, "equally many"),
        ("{dense: aux}", "{dnse: aux}", 18, "no `dnse`"),
        ("{dense: aux}", "{dense: aux, conv: aux}", 18, "is one"),
        ("{dense: aux}", "[aux]", 18, "mapping"),
        ("{dense: aux}", "{dense: aux, tensors: {kernel: aux}}", 18, "one `{}`"),
        ("{dense: aux}", '{dense: aux, tensors: {krnel: "{}"}}', 18, "no `krnel`"),
        ("mix{}.b0", "mix{1..3}.b0", 16, "3 alternatives"),
        ("mix{}.b0", "mix{2..1}.b0", 16, "`2..1` has no numbers"),
        ("mix{}.b0", "mix{1..2..0}.b0", 16, "`1..2..0` has no numbers"),
        ("flatten: 4x3x4", "flatten: 12x4", 19, "`flatten` is a map"),
        ("flatten: 4x3x4", "flatten: 4x3x0", 19, "`flatten` is a map"),
        ("flatten: 4x3x4", "flatten: 3x4x4", 19, "the map flattens 3x4x4 for `Logits/Hidden`, "),
        ("{dense: fc1, flatten: 4x3x4}", "{dense: fc1}", 19, "does not say in which order"),
        ("Mix_{1,2}/Left", "Mix_{1,1}/Left", 16, "`Mix_1/Left` twice"),
        ("mix{}.b0", "mix1.b0", 16, "two weights"),
        ("  Stem: conv0\n", "  Stem: conv0\n  Root | Stem: conv9\n", 16, "`Stem` twice"),
        ("count_include_pad: true", "count_pad: true", 23, "no `count_pad`"),
        ("avg_pool:", "avgpool:", 23, "no `avgpool`"),
        ("count_include_pad: true", "count_include_pad: [1]", 23, "one value"),
        ("count_include_pad: true", "count_include_pad: 3", 23, "`count_include_pad`: expected"),
        ("count_include_pad: true", "kernel: 0", 23, "`kernel`: expected"),
        ("layers:\n", "layers: [1]\nignore2:\n", 15, "no `ignore2`"),
        ("layout: torch", "same_as: none", 5, "no small.none.yaml"),
        ("layout: torch", "same_as: other", 5, "no small.other.yaml beside"),
        ("layout: torch", "same_as: a/b", 5, "not `/`"),
        ("layout: torch", "same_as: ..", 5, "not `.`"),
        ("network: small", "same_as: none\nnetwork: a/b", 3, "not `/`"),
        ("[Images are in BGR.]", "[[1]]", 24, "a word"),
    ],
)
def test_wrong_maps(tmp_path: Path, old: str, new: str, line: int, word: str) -> None:
    assert old in GOOD
    path = tmp_path / "small.other.yaml"
    path.write_text(GOOD.replace(old, new, 1), "utf-8")
    found = errors(lambda: plan(read_map(path), small()))
    assert {d.code for d in found} == {"E911"}
    assert word in found[0].message
    assert found[0].position is not None
    assert found[0].position.line == line


@pytest.mark.parametrize(
    ("value", "apart"),
    [("kernel: 3", []), ("kernel: 3x3", []), ("kernel: 1x3", ["kernel: 1x3"]),
     ("stride: 1", []), ("stride: 2", ["stride: 2"]), ("padding: same", []),
     ("padding: 1", ["padding: 1"])],
)  # fmt: skip
def test_what_is_required_is_compared_by_its_type(
    tmp_path: Path, value: str, apart: list[str]
) -> None:
    """The pools on line 16 are 3 x 3, with stride 1 and padding `same`."""
    path = tmp_path / "small.other.yaml"
    path.write_text(GOOD.replace("count_include_pad: true", value, 1), "utf-8")
    found = differences(plan(read_map(path), small()), small())
    here = [d for d in found if d.position and d.position.line == 16]
    assert {d.message.split("`")[1] for d in here} == set(apart)


def test_a_layer_may_have_names_of_its_own(tmp_path: Path) -> None:
    own = '{dense: aux, tensors: {kernel: "{}.w", bias: "{}.b"}}'
    (tmp_path / "small.other.yaml").write_text(GOOD.replace("{dense: aux}", own, 1))
    theirs = [plan(read_map(path), small()) for path in (MAP, tmp_path / "small.other.yaml")]
    before, after = ({m.ours: m.theirs for m in found.matches} for found in theirs)
    changed = {n: name for n, name in after.items() if name != before[n]}
    assert sorted(changed.values()) == ["aux.b", "aux.w"]
    assert all(before[n] in ("aux.weight", "aux.bias") for n in changed)


def test_ranges_of_numbers() -> None:
    assert [n for n, _ in pattern.names("a{1..3,x,10..20..5}")] == [
        "a1", "a2", "a3", "ax", "a10", "a15", "a20"
    ]  # fmt: skip
    assert [n for n, _ in pattern.names("{1..}{..2}")] == ["1....2"]
    [*_, (name, picks)] = pattern.names("block_{1..20}")
    assert (name, pattern.fill("{76..152..4}.{}", [*picks, *picks])) == ("block_20", "152.20")


def test_same_as_is_one_step(tmp_path: Path) -> None:
    (tmp_path / "small.a.yaml").write_text(GOOD.replace("source: other", "source: a"))
    head = "archc_map: 1\nnetwork: small\nsource: {}\ntitle: twin\nsame_as: {}\n"
    (tmp_path / "small.b.yaml").write_text(head.format("b", "a") + "notes: [Own.]\n")
    (tmp_path / "small.c.yaml").write_text(head.format("c", "b"))
    twin = read_map(tmp_path / "small.b.yaml")
    assert (twin.source, twin.title, twin.notes) == ("b", "twin", ("Own.",))
    [first, second] = twin.layers, read_map(tmp_path / "small.a.yaml").layers
    assert {k: p.word for k, p in first.items()} == {k: p.word for k, p in second.items()}
    assert codes(lambda: read_map(tmp_path / "small.c.yaml")) == ["E911"]


def test_a_file_that_is_no_map() -> None:
    assert codes(lambda: read_map(CASES / "none.yaml")) == ["E101"]
    [error, *_] = errors(lambda: read_map(CASES / "small.yaml"))
    assert error.code == "E911"


def test_no_such_source() -> None:
    network = compile_file(shipped()["inception_v3"]).network
    [error] = errors(lambda: find_plan(network, "torchvison"))
    assert (error.code, error.hint) == ("E914", "did you mean `torchvision`?")
    [error] = errors(lambda: find_plan(network, "xyz"))
    assert error.hint is not None
    assert "`keras`, `slim`" in error.hint
