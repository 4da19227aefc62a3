"""Links that nobody named lead nowhere: errors quote what is read, and builds write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archcompiler.cli import main

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights there")

SPEC = Path(__file__).parent / "cases" / "lock" / "good.yaml"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with a spec and its lock."""
    monkeypatch.chdir(tmp_path)
    text = SPEC.read_text("utf-8").replace("name: good", "name: small", 1)
    (tmp_path / "small.yaml").write_text(text, "utf-8")
    assert run("lock", "small.yaml").exit_code == 0
    return tmp_path


def test_links_out_of_a_folder_are_not_followed(folder: Path) -> None:
    """Errors quote what is read; who names a file has it read, a folder's links are its owner's."""
    (folder / "in").mkdir()
    (folder / "in" / "a.yaml").symlink_to("b.yaml")
    (folder / "in" / "b.yaml").write_bytes((folder / "small.yaml").read_bytes())
    assert run("check", "in").exit_code == 0
    (folder / "secret").write_text("hunter2: hunter2\n")
    for name in ("c.yaml", "d.yaml"):
        (folder / "in" / name).symlink_to("../secret")
    result = run("check", "in")
    assert result.exit_code == 2
    assert result.stdout == (
        "error[E703] in/c.yaml is a link out of the folder in; 1 more like it\n"
        "   hint: move it away, or name the file itself\n"
    )
    assert "hunter2: hunter2" in run("check", "in/c.yaml").stdout


UNSAID = (".npmrc", "secret", ".hidden.yaml", ".hidden/secret.yaml", "folder/.git/config")
"""What stands in a folder of specs, or below, and is no spec of it: nobody named these."""


@pytest.mark.parametrize("target", [*UNSAID, "two.yaml"])
def test_links_in_a_folder_lead_to_specs_only(folder: Path, target: str) -> None:
    """A file that CI writes beside the specs may hold a secret, and errors quote what is read."""
    specs = folder / "in"
    for name in UNSAID:
        (specs / name).parent.mkdir(parents=True, exist_ok=True)
        (specs / name).write_text("hunter2: hunter2\n")
    (specs / "sub.yml").write_bytes((folder / "small.yaml").read_bytes())
    (specs / "good.yaml").symlink_to("sub.yml")
    assert run("check", "in").exit_code == 0
    if target == "two.yaml":
        (specs / target).symlink_to("secret")
    (specs / "z.yaml").symlink_to(target)
    result = run("check", "in")
    assert result.exit_code == 2
    first, more = ("two", "; 1 more like it") if target == "two.yaml" else ("z", "")
    assert result.stdout == (
        f"error[E703] in/{first}.yaml is a link to a file that is hidden or no spec{more}\n"
        "   hint: move it away, or name the file itself\n"
    )
    assert "hunter2: hunter2" in run("check", "in/z.yaml").stdout


@pytest.mark.parametrize("target", [*UNSAID, "two.yaml", ".nothing"])
@pytest.mark.parametrize("way", ["z.yaml", "folder/z.yaml"])
def test_what_a_spec_extends_leads_to_specs_only(folder: Path, way: str, target: str) -> None:
    for name in UNSAID:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("hunter2: hunter2\n")
    (folder / "two.yaml").symlink_to("secret")
    (folder / way).symlink_to(os.path.relpath(folder / target, (folder / way).parent))
    (folder / "net.yaml").write_text(f"archc: 1\nname: net\nextends: {way}\n")
    result = run("check", "net.yaml")
    assert result.exit_code == 1
    assert "hunter2" not in result.output
    assert f"E114] `{way}` is hidden or no spec, or leads to such a file" in result.output


@pytest.mark.parametrize("way", [".hidden.yaml", ".hidden/base.yaml", "link/base.yaml"])
def test_what_a_spec_extends_is_not_hidden(folder: Path, way: str) -> None:
    (folder / ".hidden").mkdir()
    (folder / "link").symlink_to(".hidden")
    for name in (".hidden.yaml", ".hidden/base.yaml"):
        (folder / name).write_bytes((folder / "small.yaml").read_bytes())
    (folder / "net.yaml").write_text(f"archc: 1\nname: net\nextends: {way}\n")
    assert f"E114] `{way}` is hidden" in run("check", "net.yaml").output


def test_a_volume_of_kubernetes_is_a_folder_of_specs(folder: Path) -> None:
    volume = folder / "volume"
    (volume / "..2026_11_22").mkdir(parents=True)
    (volume / "..data").symlink_to("..2026_11_22")
    (volume / "..data" / "base.yaml").write_bytes((folder / "small.yaml").read_bytes())
    (volume / "..data" / "net.yaml").write_text("archc: 1\nname: net\nextends: base.yaml\n")
    for name in ("base.yaml", "net.yaml"):
        (volume / name).symlink_to(f"..data/{name}")
    assert run("check", "volume").exit_code == 0


def test_a_hidden_folder_may_hold_all_of_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the folder itself is called, or what it lies in, is the user's."""
    top = folder / ".cache" / "specs"
    top.mkdir(parents=True)
    (top / "base.yaml").write_bytes((folder / "small.yaml").read_bytes())
    (top / "link.yaml").symlink_to("base.yaml")
    (top / "net.yaml").write_text("archc: 1\nname: net\nextends: link.yaml\n")
    assert run("check", ".cache/specs").exit_code == 0
    monkeypatch.chdir(top)
    assert run("check", ".").exit_code == 0


@pytest.mark.parametrize("link", ["out", "out/small-torch", "some/small", "some/small/torch"])
def test_no_build_follows_a_link_that_nobody_named(folder: Path, link: str) -> None:
    (folder / "elsewhere" / "torch").mkdir(parents=True)
    (folder / "elsewhere" / "torch" / "model.py").write_text("hunter2")
    (folder / link).parent.mkdir(parents=True, exist_ok=True)
    target = folder / "elsewhere" / ("torch" if "torch" in link else "")
    (folder / link).symlink_to(target, target_is_directory=True)
    words = ["build", "small.yaml", "-b", "torch"]
    words += ["-b", "tensorflow", "-o", "some"] if link.startswith("some") else []
    for more in ([], ["--force"], ["--check"]):
        result = run(*words, *more)
        assert result.exit_code == 2
        assert f"error[E603] {link} is a link, and may lead anywhere" in result.stderr
        assert "hunter2" not in result.output
    assert sorted(p.name for p in (folder / "elsewhere").rglob("*")) == ["model.py", "torch"]


def test_who_names_a_link_has_it_followed(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "link").symlink_to("elsewhere")
    assert run("build", "small.yaml", "-b", "torch", "-o", "link").exit_code == 0
    assert (folder / "elsewhere" / "model.py").exists()


@pytest.mark.parametrize(
    "target", ["../secret", "/etc/passwd", "other.yaml", "nothing", ".npmrc", "a.lock"]
)
def test_a_lock_that_is_a_link_is_not_followed(folder: Path, target: str) -> None:
    """Errors quote what is read, and nobody named what a link beside a spec leads to."""
    (folder.parent / "secret").write_text("hunter2: hunter2\n")
    for name in (".npmrc", "a.lock"):
        (folder / name).write_text("hunter2: hunter2\n")
    (folder / "small.lock").unlink()
    (folder / "small.lock").symlink_to(target)
    for words in (("check", "small.yaml"), ("lock", "--check", "small.yaml")):
        result = run(*words)
        assert result.exit_code == 1
        assert "hunter2" not in result.output
        assert "E606] small.lock is a link to something that is not this spec's" in result.output


def test_a_spec_and_its_lock_may_both_be_links(folder: Path) -> None:
    (folder / "farm").mkdir()
    for name in ("small.yaml", "small.lock"):
        (folder / "farm" / name).symlink_to(folder / name)
    assert run("check", "farm/small.yaml").exit_code == 0
    (folder / "small.lock").write_text(
        (folder / "small.lock").read_text().replace("macs: ", "macs: 1")
    )
    assert "E605" in run("check", "farm/small.yaml").stdout


@pytest.mark.parametrize("name", ["small", "other"])
def test_a_lock_that_is_a_link_is_held_to_what_it_leads_to(folder: Path, name: str) -> None:
    """Both commands say the same of it, and what a hint says to do works."""
    (folder / "farm").mkdir()
    spec, lock, real = f"farm/{name}.yaml", f"farm/{name}.lock", folder / "small.lock"
    (folder / spec).symlink_to(folder / "small.yaml")
    (folder / lock).symlink_to(real)
    good = real.read_text()
    checked, written = run("lock", "--check", spec), run("lock", spec)
    assert (checked.exit_code, checked.stdout) == (0, f"{lock} is up to date\n")
    assert (written.exit_code, written.stderr) == (0, "")
    assert "unchanged" in written.stdout
    for text, said in (
        (good.replace("macs: ", "macs: 1"), "E605"),
        (good.replace("}\n", " }\n"), "not as archc writes it"),
        ("archc_lock: 1\n<<<<<<<\n", "E606"),
        (None, "has no lock"),
    ):
        real.unlink() if text is None else real.write_text(text)
        result = run("lock", "--check", spec)
        assert result.exit_code == 1
        assert said in result.stdout
        assert "`archc lock small.yaml` writes" in result.stdout
        refused = run("lock", spec)
        assert refused.exit_code == 2
        assert f"E603] cannot write {lock}: it is a link" in refused.stderr
        assert "`archc lock small.yaml` writes what it leads to" in refused.stderr
        assert (real.read_text() if real.exists() else None) == text
        assert run("lock", "small.yaml").exit_code == 0
        assert real.read_text() == good
        assert run("lock", "--check", spec).exit_code == 0


def test_a_spec_that_is_a_link_may_have_a_lock_of_its_own(folder: Path) -> None:
    (folder / "farm").mkdir()
    (folder / "farm" / "other.yaml").symlink_to(folder / "small.yaml")
    assert run("lock", "farm/other.yaml").exit_code == 0
    assert "other.yaml" in (folder / "farm" / "other.lock").read_text()
    assert run("lock", "--check", "farm/other.yaml").exit_code == 0
    (folder / "farm" / "other.lock").write_text("archc_lock: 1\n")
    assert "`archc lock farm/other.yaml` writes" in run("check", "farm/other.yaml").stdout
