"""Processes that are killed, or that build at the same time, leave whole builds behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from writer_kit import A, B, C

import archcompiler
from archcompiler.errors import ArchcError
from archcompiler.manifest import MANIFEST, sha256
from archcompiler.writer import write

pytestmark = pytest.mark.skipif(os.name != "posix", reason="uses POSIX signals, links and limits")


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return everything below a folder: bytes of files, None for what is no regular file."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        if path.is_file() and not path.is_symlink()
        else None
        for path in folder.rglob("*")
    }


def is_build(folder: Path, files: dict[str, str]) -> bool:
    """Say whether the folder holds exactly this build, with the manifest that belongs to it."""
    found = tree(folder)
    listed = json.loads(found.pop(MANIFEST) or b"{}")
    wanted = {name: text.encode() for name, text in files.items()}
    return found == wanted and listed["files"] == {n: sha256(d) for n, d in wanted.items()}


def child(script: str, *args: object) -> subprocess.Popen[str]:
    """Start a Python process that can import archc from where this process did."""
    root = str(Path(archcompiler.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


# Copies the folder, starts a build in the copy and kills it before its nth step, for every n.
KILLED = """
import json, os, resource, shutil, signal, sys
from pathlib import Path
from archcompiler.writer import write
start, copies, files = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.listdir",
         "os.scandir", "fcntl.flock"}
def build(folder, nth):
    left = nth
    def step(event, args):
        nonlocal left
        left -= event in STEPS
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    if nth is None:  # in the middle of a write
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (15, 15))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    else:
        sys.addaudithook(step)
    write(folder, files, source="net.yaml", force=sys.argv[4] == "True")
    os._exit(0)
for nth in (None, *range(1000)):
    folder = shutil.copytree(start, copies / str(nth))
    pid = os.fork()
    if not pid:
        build(folder, nth)
    if os.waitpid(pid, 0)[1] == 0:
        break
print(nth)
"""


@pytest.mark.parametrize("start", [A, {}], ids=["over a build", "in an empty folder"])
def test_killed_at_any_step_a_build_leaves_whole_files_and_the_next_one_succeeds(
    tmp_path: Path, start: dict[str, str]
) -> None:
    (tmp_path / "start").mkdir()
    if start:
        write(tmp_path / "start", start, source="net.yaml")
    steps = finished(child(KILLED, tmp_path / "start", tmp_path / "at", json.dumps(B), False))
    assert int(steps) > 20
    mixed = 0
    for folder in sorted((tmp_path / "at").iterdir()):
        for name in {*start, *B}:
            texts = {text.encode() for f in (start, B) for n, text in f.items() if n == name}
            gone = not (folder / name).exists() and not (name in start and name in B)
            assert gone or (folder / name).read_bytes() in texts, (folder.name, name)
        mixed += any((folder / name).exists() for name in B if name not in start)
        for number, files in enumerate((A, B, C)):
            again = shutil.copytree(folder, tmp_path / "again" / f"{folder.name}-{number}")
            write(again, files, source="net.yaml")
            assert is_build(again, files), (folder.name, files)
    assert mixed > 3


def test_killed_at_any_step_a_forced_build_loses_nobody_s_bytes(tmp_path: Path) -> None:
    start = tmp_path / "start"
    write(start, A, source="net.yaml")
    (start / "model.py").write_text("mine\n")
    (start / "weights.py").write_text("mine too\n")
    finished(child(KILLED, start, tmp_path / "at", json.dumps(B), True))
    for folder in sorted((tmp_path / "at").iterdir()):
        for again in (False, True):
            if again:
                write(folder, C, source="net.yaml", force=True)
            kept = {data for name, data in tree(folder).items() if "/" not in name}
            assert {b"mine\n", b"mine too\n"} <= kept, (folder.name, again)
        assert not [name for name in tree(folder) if name.startswith(".archc-")]


def test_an_edit_after_a_kill_is_still_an_edit(tmp_path: Path) -> None:
    write(tmp_path / "start", A, source="net.yaml")
    finished(child(KILLED, tmp_path / "start", tmp_path / "at", json.dumps(B), False))
    for folder in sorted((tmp_path / "at").iterdir()):
        (folder / "model.py").write_text("mine\n")
        with pytest.raises(ArchcError, match="was edited since"):
            write(folder, C, source="net.yaml")
        assert (folder / "model.py").read_text() == "mine\n"
        assert write(folder, C, source="net.yaml", force=True).backups == ("model.py.bak",)


# What a folder holds that a stranger gave


def refused(folder: Path, files: dict[str, str], name: str) -> None:
    """Build where something must stop it that archc did not make, and that must not change."""
    home = folder.parent
    before = {n: d or os.path.islink(home / n) for n, d in tree(home).items()}
    for force in (False, True):
        with pytest.raises(ArchcError) as caught:
            write(folder, files, source="net.yaml", force=force)
        (told,) = caught.value.diagnostics
        assert told.code == "E603"
        assert told.message == f"{folder / name} is in the way: archc did not make it"
        assert told.hint == "move it away, then build again"
        assert {n: d or os.path.islink(home / n) for n, d in tree(home).items()} == before


@pytest.mark.parametrize("victim", ["a build", "nothing in it", "nowhere"])
@pytest.mark.parametrize("start", [A, {}], ids=["over a build", "in an empty folder"])
def test_a_stage_that_is_a_link_is_not_followed(
    tmp_path: Path, start: dict[str, str], victim: str
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir()
    if start:
        write(out, start, source="net.yaml")
    if victim == "a build":
        write(other, B, source="net.yaml")
    elif victim == "nothing in it":
        other.mkdir()
    name = f".archc-{os.getpid()}.tmp"
    (out / name).symlink_to("../other")
    refused(out, C, name)
    assert os.path.lexists(other) is (victim != "nowhere")


@pytest.mark.parametrize("place", [".", ".archc-saved", ".archc-backups"])
@pytest.mark.parametrize("what", ["a link", "a folder", "a pipe", "another name"])
def test_a_folder_that_is_no_stage_of_a_build_stays(tmp_path: Path, place: str, what: str) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    write(out, A, source="net.yaml")
    outside.mkdir()
    stage = out / ".archc-1.tmp"
    (stage / place).mkdir(parents=True)
    known = "model.py.bak" if place == ".archc-backups" else "model.py"
    match what:
        case "a link":
            (outside / "precious").write_text("precious")
            (stage / place / known).symlink_to(outside / "precious")
        case "a folder":
            (stage / place / known).mkdir()
        case "a pipe":
            os.mkfifo(stage / place / known)
        case _:
            (stage / place / "notes.txt").write_text("precious")
    refused(out, C, ".archc-1.tmp")


@pytest.mark.parametrize("name", [".archc-saved", ".archc-backups"])
def test_a_part_of_a_stage_that_is_a_link_is_not_followed(tmp_path: Path, name: str) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    write(out, A, source="net.yaml")
    write(other, B, source="net.yaml")
    (out / ".archc-1.tmp").mkdir()
    (out / ".archc-1.tmp" / name).symlink_to(other)
    refused(out, C, ".archc-1.tmp")


def test_a_stage_cannot_bring_a_link_into_the_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("precious")
    write(tmp_path / "out", A, source="net.yaml")
    stage = tmp_path / "out" / ".archc-1.tmp"
    stage.mkdir()
    (stage / "model.py").symlink_to(tmp_path / "outside")
    listed = {"archc": "1", "spec": "s", "files": {"model.py": sha256(b"precious")}}
    (stage / MANIFEST).write_text(json.dumps(listed))
    refused(tmp_path / "out", C, ".archc-1.tmp")


@pytest.mark.parametrize("name", ["model.py", "userfile"])
@pytest.mark.parametrize("marked", [True, False], ids=["with the bytes", "empty"])
def test_a_stage_cannot_take_a_user_s_copy_for_a_backup(
    tmp_path: Path, name: str, marked: bool
) -> None:
    write(tmp_path, A, source="net.yaml")
    for copy in (name, f"{name}.bak"):
        (tmp_path / copy).write_text("mine\n")
    stage = tmp_path / ".archc-1.tmp"
    (stage / ".archc-backups").mkdir(parents=True)
    (stage / ".archc-backups" / f"{name}.bak").write_text("mine\n" if marked else "")
    with pytest.raises(ArchcError):
        write(tmp_path, A if name == "model.py" else C, source="net.yaml")
    assert (tmp_path / name).read_text() == "mine\n"
    assert (tmp_path / f"{name}.bak").read_text() == "mine\n"


def test_a_needless_backup_of_a_killed_build_goes(tmp_path: Path) -> None:
    write(tmp_path / "start", A, source="net.yaml")
    (tmp_path / "start" / "model.py").write_text("mine\n")
    finished(child(KILLED, tmp_path / "start", tmp_path / "at", json.dumps(B), True))
    needless = 0
    for folder in sorted((tmp_path / "at").iterdir()):
        was = tree(folder)
        if was["model.py"] == was.get("model.py.bak"):
            needless += 1
            with suppress(ArchcError):
                write(folder, C, source="net.yaml")
            assert not (folder / "model.py.bak").exists(), folder.name
    assert needless > 1


# Says when it asks for the lock, and stops before it moves its second file until it is told to go.
STOPPED = """
import json, sys
from pathlib import Path
from archcompiler.writer import write
moves = 0
def step(event, args):
    global moves
    if event == "fcntl.flock":
        print("asks", flush=True)
    moves += event == "os.rename"
    if event == "os.rename" and moves == 2 and sys.argv[3] == "stops":
        print("stops", flush=True)
        sys.stdin.readline()
sys.addaudithook(step)
write(Path(sys.argv[1]), json.loads(sys.argv[2]), source="net.yaml")
"""


def test_a_build_waits_for_the_one_that_is_under_way(tmp_path: Path) -> None:
    write(tmp_path, A, source="net.yaml")
    first = child(STOPPED, tmp_path, json.dumps(B), "stops")
    assert first.stdout
    assert first.stdout.readline() == "asks\n"
    assert first.stdout.readline() == "stops\n"
    second = child(STOPPED, tmp_path, json.dumps(C), "goes")
    assert second.stdout
    assert second.stdout.readline() == "asks\n"
    assert not (tmp_path / "README.md").exists()
    first.communicate("go\n", timeout=120)
    finished(second)
    assert first.returncode == 0
    assert is_build(tmp_path, C)


BUSY = """
import json, sys
from pathlib import Path
from archcompiler.writer import write
builds = json.loads(sys.argv[2])
sys.stdin.readline()
for turn in range(40):
    files = builds[(turn + int(sys.argv[3])) % 2]
    write(Path(sys.argv[1]) / str(turn // 4), files, source="net.yaml")
"""


def test_concurrent_builds_leave_one_build_each(tmp_path: Path) -> None:
    processes = [child(BUSY, tmp_path, json.dumps([B, C]), number) for number in range(4)]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        finished(process)
    for turn in range(10):
        assert [is_build(tmp_path / str(turn), files) for files in (B, C)].count(True) == 1


LIMITED = """
import resource, sys
from pathlib import Path
from archcompiler.errors import ArchcError
from archcompiler.writer import write
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    files = {"benchmark.py": "a", "model.py": "x" * 200_000}
    write(Path(sys.argv[1]), files, source="net.yaml", force=True)
except ArchcError as error:
    print(error.exit_code, *(d.code for d in error.diagnostics))
"""


@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_the_last_build_and_no_new_folder(
    tmp_path: Path, existing: bool
) -> None:
    folder = tmp_path / "some" / "out"
    if existing:
        write(folder, A, source="net.yaml")
        (folder / "model.py").write_text("mine\n")
    before = tree(tmp_path)
    assert finished(child(LIMITED, folder)) == "2 E603\n"
    assert tree(tmp_path) == before
