"""The manifest is believed only as far as archc can have written it, and drift is shown exactly."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import pytest

from archcompiler import __version__
from archcompiler.build import emit
from archcompiler.compiler import compile_file
from archcompiler.errors import ArchcError
from archcompiler.manifest import BUILT, MANIFEST, Manifest, drift, fingerprint, read, sha256
from archcompiler.writer import write

A = {"model.py": "width = 1\n", "README.md": "", "weights.py": "only_in_a = True\n"}
B = {"model.py": "width = 2\n", "architecture.json": "b = 'ü'\n"}

posix = pytest.mark.skipif(os.name != "posix", reason="uses symbolic links")


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


def test_a_manifest_is_sorted_and_reads_back(tmp_path: Path) -> None:
    files = {"model.py": sha256(b"m"), "README.md": sha256(b"r")}
    built = Manifest(files=files, spec="näme")
    (tmp_path / MANIFEST).write_bytes(built.to_bytes())
    text = (tmp_path / MANIFEST).read_text("ascii")
    assert list(json.loads(text)) == ["archc", "files", "spec"]
    assert list(json.loads(text)["files"]) == ["README.md", "model.py"]
    assert json.loads(text)["archc"] == __version__
    assert read(tmp_path / MANIFEST) == built
    assert read(tmp_path / "nowhere") is None


UNREADABLE = {
    "a merge conflict": b"<<<<<<< ours\n{}\n",
    "no manifest": b"[]",
    "a hash that is none": b'{"archc": "1", "spec": "s", "files": {"model.py": 7}}',
    "deep": b"[" * 100_000,
    "bytes": b"\xff\xfe",
    "a digit too long": b"1" * 5000,
    "too long": b" " * (1 << 20) + b'{"archc": "1", "spec": "s", "files": {}}',
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_manifest_is_somebody_s_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(data)
    assert read(tmp_path / MANIFEST) is None
    with pytest.raises(ArchcError) as caught:
        write(tmp_path, A, source="net.yaml")
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["E601"]
    assert (tmp_path / MANIFEST).read_bytes() == data
    assert write(tmp_path, A, source="net.yaml", force=True).backups == (f"{MANIFEST}.bak",)
    assert (tmp_path / f"{MANIFEST}.bak").read_bytes() == data


@pytest.mark.parametrize("name", ["../victim", "/victim", "sub/victim"])
def test_a_manifest_that_points_elsewhere_is_not_believed(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    victims = [tmp_path / "victim", folder / "sub" / "victim"]
    for victim in victims:
        victim.write_text("precious")
    name = str(victims[0]) if name == "/victim" else name
    listed = {"archc": "1", "spec": "s", "files": {name: sha256(b"precious")}}
    (folder / MANIFEST).write_text(json.dumps(listed))
    write(folder, A, source="net.yaml", force=True)
    assert [victim.read_text() for victim in victims] == ["precious", "precious"]


@pytest.mark.parametrize("name", ["notes.txt", "train.py", MANIFEST, ".archc-1.tmp", "a/model.py"])
def test_a_manifest_cannot_claim_what_no_build_writes(tmp_path: Path, name: str) -> None:
    write(tmp_path, A, source="net.yaml")
    known = {n: sha256(text.encode()) for n, text in A.items()}
    (tmp_path / "notes.txt").write_text("precious")
    listed = {"archc": "1", "spec": "s", "files": known | {name: sha256(b"precious")}}
    (tmp_path / MANIFEST).write_text(json.dumps(listed))
    assert read(tmp_path / MANIFEST) is None
    with pytest.raises(ArchcError) as caught:
        write(tmp_path, B, source="net.yaml")
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"E601"}
    assert write(tmp_path, B, source="net.yaml", force=True).removed == ()
    assert (tmp_path / "notes.txt").read_text() == "precious"


@pytest.mark.parametrize("name", ["archc_torch:BACKEND", "archc_tensorflow:BACKEND"])
def test_a_manifest_may_list_what_each_backend_writes(name: str) -> None:
    module, _, value = name.partition(":")
    network = compile_file(Path(__file__).parent / "cases/emitted/minimal.yaml").network
    assert emit(network, getattr(importlib.import_module(module), value)).keys() == BUILT


# What `archc build --check` says


def test_a_build_has_not_drifted(tmp_path: Path) -> None:
    write(tmp_path, B, source="net.yaml")
    assert drift(tmp_path, B) == []


def test_drift_names_each_file_and_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, A, source="net.yaml")
    (tmp_path / "README.md").unlink()
    before = contents(tmp_path)
    found = drift(tmp_path, B)
    assert contents(tmp_path) == before
    assert {diagnostic.code for diagnostic in found} == {"E604"}
    assert all(diagnostic.hint for diagnostic in found)
    assert [diagnostic.message for diagnostic in found] == [
        f"{tmp_path / 'architecture.json'} is missing",
        f"{tmp_path / 'model.py'} differs from what the spec gives, first in line 1",
        f"{tmp_path / 'weights.py'} is stale: the spec no longer gives this file",
    ]
    (nowhere,) = drift(tmp_path / "nowhere", B)
    assert nowhere.message == f"{tmp_path / 'nowhere'} does not exist"
    assert not (tmp_path / "nowhere").exists()


LONG = "[" + "1, " * 1000
DIFFERENCES = {
    "a line": ("a\nb\nc\n", b"a\nB\nc\n", "2", "b", "B"),
    "too short": ("a\nb\n", b"a\n", "2", "b", ""),
    "too long": ("a\n", b"a\nb\n", "2", "", "b"),
    "no last line end": ("a\n", b"a", "2", "", "(the file has ended)"),
    "Windows line ends": ("a\n", b"a\r\n", "1", "a", "a\r"),
    "no UTF-8": ("a\n", b"\xff\n", "1", "a", "\\xff"),
    "a text like its escape": ("\\xff\n", b"\xff\n", "1", "\\xff", "\\xff"),
    "far to the right": (
        LONG + "2]",
        (LONG + "3]").encode(),
        "1",
        "..." + ("1, " * 17)[1:] + "2]",
        "..." + ("1, " * 17)[1:] + "3]",
    ),
    "much too long a line": ("1", b"1" * 5000, "1", "1", "1" * 100 + "..."),
}


@pytest.mark.parametrize("case", DIFFERENCES.values(), ids=DIFFERENCES)
def test_drift_shows_the_first_line_that_differs(
    tmp_path: Path, case: tuple[str, bytes, str, str, str]
) -> None:
    text, found, number, *values = case
    (tmp_path / "model.py").write_bytes(found)
    (diagnostic,) = drift(tmp_path, {"model.py": text})
    assert [row.label for row in diagnostic.rows] == [
        f"line {number} expected",
        f"line {number} found",
    ]
    assert [row.value for row in diagnostic.rows] == values


@posix
def test_drift_follows_no_link_and_reports_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "text").write_text(A["model.py"])
    (tmp_path / "model.py").symlink_to("text")
    (found,) = drift(tmp_path, {"model.py": A["model.py"]})
    assert found.message.endswith("is not a regular file")
    with pytest.raises(ArchcError) as caught:
        drift(tmp_path / "text", A)
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["E603"]
    assert caught.value.exit_code == 2


def test_a_file_that_vanishes_while_it_is_read_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, real = tmp_path / "model.py", os.lstat
    file.write_text("x")

    def remove_behind(path: Path) -> os.stat_result:
        status = real(path)
        file.unlink()
        return status

    monkeypatch.setattr(os, "lstat", remove_behind)
    assert fingerprint(file) is None
