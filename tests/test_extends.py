"""What `extends` may read: shipped specs, and files in the folder of the spec or below."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archcompiler import extends, source
from archcompiler.compiler import compile_file, compile_node
from archcompiler.errors import ArchcError, Diagnostic

BASE = """archc: 1
name: base
input: 8x8x3
stem: [{conv: 4, kernel: 3, padding: same, name: first}]
body: []
heads: {Logits: [global_avg_pool]}
"""
SECRET = "archc: 1\nname: secret\nx-password: hunter2\n"


def child(of: str, name: str = "child") -> str:
    return f"archc: 1\nname: {name}\nextends: {of}\n"


def failure(path: Path) -> Diagnostic:
    with pytest.raises(ArchcError) as caught:
        compile_file(path)
    (found,) = caught.value.diagnostics
    assert caught.value.exit_code == 1
    assert found.position is not None
    assert "hunter2" not in str(caught.value) + str(found)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with a base beside and below it, and a secret outside."""
    (tmp_path / "secret.yaml").write_text(SECRET, "utf-8")
    folder = tmp_path / "specs"
    (folder / "inner").mkdir(parents=True)
    (folder / "base.yaml").write_text(BASE, "utf-8")
    (folder / "inner" / "base.yaml").write_text(child("../base.yaml", "inner"), "utf-8")
    return folder


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("way", ["base.yaml", "inner/base.yaml", "./inner/../base.yaml"])
def test_a_base_beside_or_below(root: Path, way: str) -> None:
    network = compile_file(write(root / "child.yaml", child(way))).network
    assert network.lineage[-1] == "base"
    assert network.totals().params == 3 * 3 * 3 * 4 + 4


@pytest.mark.parametrize("way", ["../secret.yaml", "inner/../../secret.yaml", "./../secret.yaml"])
def test_nothing_outside_is_read(root: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(root / "child.yaml", child(way))
    read: list[Path] = []
    load = source.load
    monkeypatch.setattr(source, "load", lambda p, *rest: (read.append(p), load(p, *rest))[1])
    found = failure(path)
    assert found.code == "E114"
    assert "outside the folder" in found.message
    assert read == []


def test_nothing_outside_is_asked_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(root / "child.yaml", child("../secret.yaml"))
    asked: list[str] = []
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda self: (asked.append(self.name), exists(self))[1])
    assert "outside the folder" in failure(path).message
    assert "secret.yaml" not in asked


@pytest.mark.parametrize("part", ["a/", "../", "./", "a"])
def test_long_paths_are_not_followed(
    root: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[Path] = []
    resolve = Path.resolve
    monkeypatch.setattr(Path, "resolve", lambda self: (followed.append(self), resolve(self))[1])
    for length in (extends.MAX_PATH, extends.MAX_PATH + 1, 2_000_000):
        start = part * ((length - 7) // len(part))
        found = failure(
            write(root / "child.yaml", child(f"{start}{'x' * (length - len(start) - 5)}.yaml"))
        )
        assert found.code == "E114"
        assert ("longer than 1,024 characters" in found.message) == (length > extends.MAX_PATH)
        assert length == extends.MAX_PATH or len(found.message) < 100
    assert all(len(str(path)) < 2 * extends.MAX_PATH for path in followed)


def test_a_base_below_cannot_lead_out(root: Path) -> None:
    write(root / "inner" / "out.yaml", child("../../secret.yaml", "out"))
    found = failure(write(root / "child.yaml", child("inner/out.yaml")))
    assert found.code == "E114"
    assert found.position is not None
    assert found.position.source.name.endswith("out.yaml")


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_out_of_the_folder_is_outside(root: Path, kind: str) -> None:
    if kind == "file":
        (root / "link.yaml").symlink_to(root.parent / "secret.yaml")
    else:
        (root / "link").symlink_to(root.parent)
    way = "link.yaml" if kind == "file" else "link/secret.yaml"
    assert "outside" in failure(write(root / "child.yaml", child(way))).message


@pytest.mark.parametrize("length", [2, 3, 50])
def test_a_circle_is_shown_once(root: Path, length: int) -> None:
    for n in range(length):
        write(root / f"n{n}.yaml", child(f"n{(n + 1) % length}.yaml", f"n{n}"))
    found = failure(root / "n0.yaml")
    assert found.code == "E115"
    names = [f"n{n % length}.yaml" for n in range(length + 1)]
    if length < extends.MAX_SPECS:
        assert [Path(p).name for p in found.message.split(": ")[1].split(" > ")] == names
    else:
        assert f"more than {extends.MAX_SPECS} specs" in found.message


@pytest.mark.parametrize("length", [extends.MAX_SPECS, extends.MAX_SPECS + 1])
def test_chains_have_a_limit(root: Path, length: int) -> None:
    for n in range(length - 1):
        last = n == length - 2
        write(root / f"n{n}.yaml", child("base.yaml" if last else f"n{n + 1}.yaml", f"n{n}"))
    if length <= extends.MAX_SPECS:
        assert len(compile_file(root / "n0.yaml").network.lineage) == length - 1
    else:
        assert failure(root / "n0.yaml").code == "E115"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file"),
        (b"\xff\xfe\x00bin\x80ary", "not UTF-8"),
        ("folder", "it is a folder"),
        (b"x" * (source.MAX_BYTES + 1), "larger than 4 MiB"),
    ],
)
def test_a_base_that_cannot_be_read(root: Path, content: bytes | str | None, said: str) -> None:
    if content == "folder":
        (root / "odd.yaml").mkdir()
    elif isinstance(content, bytes):
        (root / "odd.yaml").write_bytes(content)
    found = failure(write(root / "child.yaml", child("odd.yaml")))
    assert found.code == "E114"
    assert said in found.message
    assert found.position is not None
    assert (found.position.line, found.position.column) == (3, 10)


def test_a_text_that_is_no_file_extends_shipped_specs_only() -> None:
    node = source.parse(child("googlenet"), "text.yaml")
    assert compile_node(node, source="text.yaml").network.lineage == ("googlenet",)
    with pytest.raises(ArchcError) as caught:
        compile_node(source.parse(child("base.yaml"), "text.yaml"), source="text.yaml")
    assert caught.value.diagnostics[0].code == "E114"


def test_a_base_is_no_list(root: Path) -> None:
    write(root / "list.yaml", "- 1\n")
    assert failure(write(root / "child.yaml", child("list.yaml"))).code == "E204"


PATCHES = {"{set: body, defaults: {conv: {bias: true}}}": 200, "{set: a, stride: 1}": 12_000}
"""Patches of a long section and of one layer, and how many are too many."""


@pytest.mark.parametrize("form", PATCHES)
def test_patches_times_layers_have_a_budget(form: str, tmp_path: Path) -> None:
    """What patches make archc read again is counted, so that long lists of them end soon."""
    names = ["a", *(f"l{n}" for n in range(200))]
    layers = [f"  - {{conv: 4, kernel: 1, padding: same, name: {name}}}" for name in names]
    head = ["archc: 1", "name: net", "input: 4x4x3", "stem: []", "heads: {Logits: []}"]
    text = "\n".join([*head, "body:", *layers, "patch:", *[f"  - {form}"] * PATCHES[form], ""])
    (tmp_path / "net.yaml").write_text(text, "utf-8")
    with pytest.raises(ArchcError) as caught:
        compile_file(tmp_path / "net.yaml")
    (found,) = caught.value.diagnostics
    assert found.code == "E304"
    assert found.message == "patches change more than 50,000 values"


@pytest.mark.parametrize("verb", ["after: L{}, insert", "before: L{}, insert", "replace: L{}, by"])
def test_patches_of_what_patches_brought_in_follow_each_other_for_long(verb: str) -> None:
    """Each patch addresses what the one before brought in: no recursion a patch."""
    written = "patch:\n" + "".join(
        f"  - {{{verb.format(n)}: {{identity, name: L{n + 1}}}}}\n" for n in range(1500)
    )
    text = f"archc: 1\nname: n\ninput: 8x8x3\nstem: []\nbody: [{{identity, name: L0}}]\n{written}"
    text += "heads: {Logits: [global_avg_pool]}\n"
    if verb.startswith("replace"):
        with pytest.raises(ArchcError) as caught:
            compile_node(source.parse(text, "n.yaml"), source="n.yaml")
        assert {d.code for d in caught.value.diagnostics} == {"E318"}
    else:
        network = compile_node(source.parse(text, "n.yaml"), source="n.yaml").network
        assert sum(node.op.key == "identity" for node in network.walk()) == 1501


def test_a_path_is_no_deeper_than_layers() -> None:
    path = "/".join(["a"] * 100_000)
    text = f"archc: 1\nname: n\nextends: inception_v3\npatch: [{{set: {path}, kernel: 3}}]\n"
    with pytest.raises(ArchcError) as caught:
        compile_node(source.parse(text, "n.yaml"), source="n.yaml")
    assert [d.code for d in caught.value.diagnostics] == ["E211"]


def test_instances_share_the_parameters_of_the_spec() -> None:
    """Ten thousand parameters times ten thousand instances are not copied."""
    params = ", ".join(f"p{n}: 1" for n in range(10_000))
    text = (
        f"archc: 1\nname: n\ninput: 8x8x3\nparams: {{{params}}}\n"
        "blocks: {c: {layers: [{identity, name: a}]}}\nstem: []\n"
        "body: [{block: c, name: M, repeat: 10000}]\n"
        "heads: {Logits: [global_avg_pool]}\n"
    )
    with pytest.raises(ArchcError) as caught:
        compile_node(source.parse(text, "n.yaml"), source="n.yaml")
    assert {d.code for d in caught.value.diagnostics} == {"E320"}  # after all are expanded
