"""Builds under random surroundings, which must all give the same bytes."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from archcompiler.locate import shipped

ROOT = Path(__file__).parents[2]
SPECS = ("inception_v3_half",)
SMALL = ("minimal", "many_ops", "training_heads", "long_names")
LOCALES = ("C", "POSIX", "C.UTF-8", "en_US.UTF-8", "de_DE.ISO-8859-1", "tr_TR.UTF-8", "")
ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", ":/nowhere")
FOLDERS = ("plain", "with space", "\u00fcn\u0131c\u00f6de \u4e16", "deep/er/still", "$HOME 'q' -x")


def same(seed: int, count: int, home: Path, *, every: bool = False) -> int:
    """Build specs `count` times for both backends, small ones and one or `every` shipped one.

    Prints the digests, returns the exit code.
    """
    locales = _turkish(home / "locales")
    specs = tuple(sorted(shipped())) if every else SPECS
    found: dict[str, int] = {}
    for number in range(count):
        draw = random.Random(f"same {seed} {number}")
        digest = _digest(draw, home / str(number), specs, locales, home / "bytecode")
        found[digest] = found.get(digest, 0) + 1
        shutil.rmtree(home / str(number))
    for digest, times in found.items():
        print(f"{times:>7,}  {digest}")
    networks = len(specs) + len(SMALL)
    print(
        f"same: {count} builds of {networks} networks for 2 backends from seed {seed}, "
        f"{'with' if locales else 'without'} a Turkish locale, {len(found)} sha256"
    )
    return int(len(found) != 1)


def _turkish(folder: Path) -> Path | None:
    """Compile the locale in which `"I".lower()` is no i, where the system can."""
    folder.mkdir()
    command = ["localedef", "-i", "tr_TR", "-f", "UTF-8", str(folder / "tr_TR.UTF-8")]
    try:
        subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return folder if any(folder.iterdir()) else None


def _digest(
    draw: random.Random, home: Path, names: tuple[str, ...], locales: Path | None, bytecode: Path
) -> str:
    """Build in surroundings that are drawn; return one digest over names and bytes."""
    folder = home / draw.choice(FOLDERS)
    folder.mkdir(parents=True)
    for name in SMALL:
        shutil.copy(ROOT / f"tests/cases/emitted/{name}.yaml", folder)
    env = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")]),
        "PYTHONPYCACHEPREFIX": str(bytecode),  # else each build compiles all of archc first
        "PYTHONHASHSEED": str(draw.randrange(2**32)),
        "LC_ALL": draw.choice(LOCALES),
        "TZ": draw.choice(ZONES),
        "PYTHONUTF8": draw.choice("01"),
        "COLUMNS": str(draw.randrange(10, 200)),
        "HOME": draw.choice((str(home), "/nonexistent")),
    }
    if locales:
        env["LOCPATH"] = str(locales)
    specs = [*names, *(f"{name}.yaml" for name in SMALL)]
    draw.shuffle(specs)
    backends = draw.sample(("torch", "tensorflow"), 2)
    words = ["build", *specs, *(f"--backend={name}" for name in backends), "--output", "out"]
    flags = draw.choice(([], ["-O"], ["-OO"], ["-B", "-s"]))
    mask = draw.choice((0o022, 0o077, 0o000))
    done = subprocess.run(
        [sys.executable, *flags, "-m", "archcompiler", *words],
        cwd=folder, env=env, umask=mask, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode or done.stderr:
        return f"exit code {done.returncode} under {env}: {done.stderr.decode(errors='replace')}"
    digest = hashlib.sha256()
    out = folder / "out"
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(out).as_posix()}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()
