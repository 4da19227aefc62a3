"""The writer keeps its promises: all of a build or nothing of it, and nobody's bytes are lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from writer_kit import A, B

from archcompiler import __version__
from archcompiler.errors import ArchcError
from archcompiler.manifest import MANIFEST, sha256
from archcompiler.writer import Written, write

posix = pytest.mark.skipif(os.name != "posix", reason="uses POSIX signals, links and limits")


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return everything below a folder: bytes of files, None for what is no regular file."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        if path.is_file() and not path.is_symlink()
        else None
        for path in folder.rglob("*")
    }


def stats(folder: Path) -> dict[str, tuple[int, int]]:
    paths = [folder, *folder.rglob("*")]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in paths}


def is_build(folder: Path, files: dict[str, str]) -> bool:
    """Say whether the folder holds exactly this build, with the manifest that belongs to it."""
    found = tree(folder)
    listed = json.loads(found.pop(MANIFEST) or b"{}")
    wanted = {name: text.encode() for name, text in files.items()}
    return found == wanted and listed["files"] == {n: sha256(d) for n, d in wanted.items()}


def refused(folder: Path, files: dict[str, str], *, force: bool = False) -> ArchcError:
    """Return the error of a build that must be refused and must change nothing."""
    before = tree(folder) if folder.is_dir() else None
    with pytest.raises(ArchcError) as caught:
        write(folder, files, source="net.yaml", force=force)
    assert (tree(folder) if folder.is_dir() else None) == before
    assert caught.value.exit_code == 2
    for diagnostic in caught.value.diagnostics:
        assert "\n" not in diagnostic.message
        assert diagnostic.hint
    return caught.value


def codes(error: ArchcError) -> list[str]:
    return [diagnostic.code for diagnostic in error.diagnostics]


# What a build leaves behind


def test_a_build_is_its_files_and_a_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "on the way"
    written = write(folder, B, source="net.yaml")
    assert written == Written(
        folder=folder, written=("benchmark.py", "model.py", "weights.py", MANIFEST)
    )
    assert is_build(folder, B)
    manifest = (folder / MANIFEST).read_text("ascii")
    assert json.loads(manifest) | {"files": {}} == {
        "archc": __version__,
        "files": {},
        "spec": "net.yaml",
    }
    assert manifest == json.dumps(json.loads(manifest), indent=2, sort_keys=True) + "\n"


def test_text_is_written_as_utf_8_with_the_line_ends_it_has(tmp_path: Path) -> None:
    write(tmp_path, {"model.py": "é\n"}, source="net.yaml")
    assert (tmp_path / "model.py").read_bytes() == b"\xc3\xa9\n"


def test_the_same_build_again_touches_nothing(tmp_path: Path) -> None:
    write(tmp_path, A, source="net.yaml")
    for path in (*tmp_path.iterdir(), tmp_path):
        os.utime(path, ns=(1, 1))
    before = stats(tmp_path)
    again = write(tmp_path, A, source="net.yaml")
    assert again == Written(
        folder=tmp_path, unchanged=("architecture.json", "benchmark.py", "model.py", MANIFEST)
    )
    assert stats(tmp_path) == before


def test_a_new_build_touches_only_what_changed_and_removes_what_is_stale(tmp_path: Path) -> None:
    write(tmp_path, A, source="net.yaml")
    os.utime(tmp_path / "benchmark.py", ns=(1, 1))
    assert write(tmp_path, B, source="net.yaml") == Written(
        folder=tmp_path,
        written=("model.py", "weights.py", MANIFEST),
        unchanged=("benchmark.py",),
        removed=("architecture.json",),
    )
    assert is_build(tmp_path, B)
    assert (tmp_path / "benchmark.py").stat().st_mtime_ns == 1


def test_a_stale_file_that_somebody_edited_stays(tmp_path: Path) -> None:
    write(tmp_path, A, source="net.yaml")
    (tmp_path / "architecture.json").write_text("mine\n")
    assert write(tmp_path, B, source="net.yaml").removed == ()
    assert (tmp_path / "architecture.json").read_text() == "mine\n"


def test_a_file_that_was_deleted_is_written_again(tmp_path: Path) -> None:
    write(tmp_path, A, source="net.yaml")
    (tmp_path / "model.py").unlink()
    assert "model.py" in write(tmp_path, A, source="net.yaml").written
    assert is_build(tmp_path, A)


@pytest.mark.parametrize("name", ["", "..", "a/model.py", "/model.py", MANIFEST, "notes.py"])
def test_only_the_files_of_a_build_are_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a file of a build"):
        write(tmp_path / "out", {"model.py": "", name: ""}, source="net.yaml")
    assert not (tmp_path / "out").exists()


# What it refuses, and what force keeps


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "data").mkdir()
    error = refused(tmp_path, A)
    assert codes(error) == ["E601"]
    assert "data and 1 more" in str(error)
    assert write(tmp_path, A, source="net.yaml", force=True).backups == ()
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert write(tmp_path, B, source="net.yaml").removed == ("architecture.json",)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_what_python_and_the_system_leave_in_a_folder_is_nobody_s(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    for name in ("model.pyc", ".DS_Store", "__pycache__/model.cpython-311.pyc"):
        (tmp_path / name).touch()
    write(tmp_path, A, source="net.yaml")
    assert (tmp_path / "__pycache__").is_dir()


def test_a_file_that_archc_did_not_write_is_refused_and_kept_by_force(tmp_path: Path) -> None:
    write(tmp_path, A, source="net.yaml")
    (tmp_path / "weights.py").write_text("mine\n")
    error = refused(tmp_path, B)
    assert codes(error) == ["E601"]
    assert str(tmp_path / "weights.py") in str(error)
    assert error.diagnostics[0].hint == "--force keeps a copy as weights.py.bak"
    assert write(tmp_path, B, source="net.yaml", force=True).backups == ("weights.py.bak",)
    assert (tmp_path / "weights.py.bak").read_text() == "mine\n"
    assert (tmp_path / "weights.py").read_text("utf-8") == B["weights.py"]


def test_an_edited_file_is_refused_and_every_version_kept_by_force(tmp_path: Path) -> None:
    write(tmp_path, A, source="net.yaml")
    names = ["model.py.bak", "model.py.bak1", "model.py.bak2"]
    for number, name in enumerate(names):
        (tmp_path / "model.py").write_text(f"mine {number}\n")
        error = refused(tmp_path, A)
        assert codes(error) == ["E602"]
        assert error.diagnostics[0].hint == f"--force keeps a copy as {name}"
        assert write(tmp_path, A, source="net.yaml", force=True).backups == (name,)
        assert (tmp_path / "model.py").read_text() == A["model.py"]
    assert [(tmp_path / name).read_text() for name in names] == ["mine 0\n", "mine 1\n", "mine 2\n"]


def test_all_refusals_come_together(tmp_path: Path) -> None:
    write(tmp_path, A, source="net.yaml")
    (tmp_path / "weights.py").write_text("mine\n")
    (tmp_path / "model.py").write_text("mine\n")
    assert codes(refused(tmp_path, B)) == ["E602", "E601"]


def test_a_file_that_is_already_as_wanted_is_no_reason_to_refuse(tmp_path: Path) -> None:
    for name, text in A.items():
        (tmp_path / name).write_text(text)
    assert write(tmp_path, A, source="net.yaml").written == (MANIFEST,)
    assert is_build(tmp_path, A)


@posix
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["model.py", MANIFEST])
@pytest.mark.parametrize("pointing", ["to a file outside", "nowhere", "to the same text"])
def test_a_link_in_place_of_a_file_is_refused(
    tmp_path: Path, pointing: str, name: str, force: bool
) -> None:
    folder, outside = tmp_path / "out", tmp_path / "outside"
    write(folder, A, source="net.yaml")
    if pointing == "to the same text":
        shutil.copy(folder / name, outside)
    elif pointing == "to a file outside":
        outside.write_text("precious")
    before = outside.read_bytes() if outside.exists() else None
    (folder / name).unlink()
    (folder / name).symlink_to(outside)
    for files in (A, B):
        error = refused(folder, files, force=force)
        assert "E603" in codes(error)
        assert name in str(error)
    assert (folder / name).is_symlink()
    assert (outside.read_bytes() if outside.exists() else None) == before


@posix
@pytest.mark.parametrize("make", [os.mkdir, getattr(os, "mkfifo", None)])
def test_what_is_no_file_is_refused_and_never_opened(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "model.py")
    assert codes(refused(tmp_path, A, force=True)) == ["E603"]


# Where the folder cannot be written


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    error = refused(tmp_path / "out", A, force=True)
    assert codes(error) == ["E603"]
    assert str(error) == f"cannot write to {tmp_path / 'out'}: it is a file"
    assert codes(refused(tmp_path / "out" / "below" / "it", A, force=True)) == ["E603"]
    assert (tmp_path / "out").read_text() == "a file"


@posix
def test_what_is_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    link = tmp_path / "out"
    link.symlink_to("nowhere")
    said = f"cannot write to {link}: it is a link that leads nowhere"
    assert str(refused(link, A, force=True)) == said
    said = f"cannot write to {link / 'in'}: {link} is a link that leads nowhere"
    assert str(refused(link / "in", A, force=True)) == said
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "in"
    assert str(refused(below, A)) == f"cannot write to {below}: {tmp_path / 'file'} is a file"
    assert sorted(os.listdir(tmp_path)) == ["file", "out"]


@posix
@pytest.mark.parametrize("what", ["a folder", "a pipe", "a link", "a text", "a link to nothing"])
def test_what_has_the_name_of_the_lock_is_named_and_stays(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "out"
    write(folder, A, source="net.yaml")
    lock = folder / ".archc-lock.tmp"
    match what:
        case "a folder":
            lock.mkdir()
        case "a pipe":
            os.mkfifo(lock)
        case "a text":
            lock.write_text("precious")
        case _:
            lock.symlink_to(tmp_path / "other")
            if what == "a link":
                (tmp_path / "other").touch()
    error = refused(folder, B, force=True)
    assert codes(error) == ["E603"]
    assert str(error) == f"{lock} is in the way: archc did not make it"
    assert error.diagnostics[0].hint == "move it away, then build again"
    assert os.path.lexists(lock)
    assert (tmp_path / "other").exists() is (what == "a link")


CALLS = ["replace", "rename", "link", "fsync", "mkdir", "open", "unlink", "rmdir", "scandir"]
NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


@posix
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("failure", [NO_SPACE, KeyboardInterrupt()], ids=["full", "interrupted"])
def test_a_build_that_fails_anywhere_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, failure: BaseException
) -> None:
    start = tmp_path / "start"
    write(start, A, source="net.yaml")
    (start / "model.py").write_text("mine\n")
    before = tree(start)
    real: Callable[..., Any] = getattr(os, call)
    calls = left = 0

    def failing(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            raise failure
        return real(*args, **kwargs)

    while left <= 0:
        calls += 1
        folder = shutil.copytree(start, tmp_path / str(calls))
        raised: BaseException | None = None
        with monkeypatch.context() as patch:
            left = calls
            patch.setattr(os, call, failing)
            try:
                write(folder, B, source="net.yaml", force=True)
            except (ArchcError, KeyboardInterrupt) as error:
                raised = error
        found = tree(folder)
        if isinstance(raised, ArchcError):
            assert codes(raised) == ["E603"]
            assert "no space left on device" in str(raised)
            assert found == before, calls
        else:  # it could do without that call, or was interrupted while it cleared up
            assert {n: d for n, d in found.items() if not n.startswith(".archc-")} == before or (
                found["model.py.bak"] == b"mine\n" and all(found[n] == B[n].encode() for n in B)
            ), calls
    assert calls > 1, f"os.{call} is never called"


def test_an_undo_that_fails_too_still_keeps_the_edited_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, A, source="net.yaml")
    (tmp_path / "model.py").write_text("mine\n")
    real = os.replace
    moved: list[Path] = []

    def once(source: Path, target: Path) -> None:
        if moved:
            raise NO_SPACE
        moved.append(target)
        real(source, target)

    monkeypatch.setattr(os, "replace", once)
    with pytest.raises(ArchcError, match="no space left"):
        write(tmp_path, B, source="net.yaml", force=True)
    assert moved == [tmp_path / "model.py"]
    assert (tmp_path / "model.py.bak").read_text() == "mine\n"


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    write(tmp_path, A, source="net.yaml")
    (tmp_path / "model.py").write_text("mine\n")
    monkeypatch.setattr(os, "link", no_links)
    assert write(tmp_path, B, source="net.yaml", force=True).backups == ("model.py.bak",)
    assert (tmp_path / "model.py.bak").read_text() == "mine\n"
    (tmp_path / "model.py.bak").unlink()
    assert is_build(tmp_path, B)


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_backup_is_no_copy_where_a_link_fails_for_want_of_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    """Of a copy nothing would show, after a kill, that it is archc's."""

    def full(*_: object) -> None:
        raise OSError(reason, os.strerror(reason))

    write(tmp_path, A, source="net.yaml")
    (tmp_path / "model.py").write_text("mine\n")
    before = tree(tmp_path)
    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copyfile", lambda *_: pytest.fail("copies"))
    assert codes(refused(tmp_path, B, force=True)) == ["E603"]
    assert tree(tmp_path) == before
