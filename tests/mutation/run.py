"""Changes one operator of the shape rules at a time, and counts what no test notices.

    python tests/mutation/run.py
    python tests/mutation/run.py --only archcompiler/window.py

The tests are collected once. For each mutant a child process takes the mutant's code and runs them
until one fails; one that needs more than `LIMIT_S` of its processor has failed, too. What computes
the same as the original is listed in equivalent.yaml. The last line is the figure. Exit code 1
where fewer than 95 % of the others are killed, or where the list is wrong.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
EQUIVALENT = Path(__file__).parent / "equivalent.yaml"
LIMIT_S = 10
WANTED = 0.95


@dataclass(frozen=True, slots=True)
class Target:
    """Functions of a file, all of them where none is named, and the tests that hold them."""

    file: str
    functions: tuple[str, ...]
    tests: tuple[str, ...]


RULES = ("tests/test_window.py", "tests/test_ops.py")
NETWORKS = ("tests/test_ops.py", "tests/test_figures.py", "tests/test_errors.py")

TARGETS = (
    *(
        Target(path.relative_to(ROOT).as_posix(), (), RULES)
        for path in sorted(ROOT.glob("archcompiler/ops/*.py"))
    ),
    Target("archcompiler/window.py", (), RULES),
    Target("archcompiler/op.py", ("Weight.count", "one_map"), RULES),
    Target(
        "archcompiler/fields.py",
        ("size_text", "_parse_size", "_parse_kernel", "_parse_padding", "_padding_text",
         "Width.scale"),
        RULES,
    ),
    Target("archcompiler/ir.py", ("Value.channels", "totals"), NETWORKS),
    Target(
        "archcompiler/infer.py",
        ("_Inference.check_size", "_Inference.fork", "_Inference.shares"),
        NETWORKS,
    ),
)  # fmt: skip
"""The rules of shapes. All tests are of the core alone, the quickest first."""


class Trial:
    """A pytest plugin that runs the tests against each mutant instead of running them."""

    def __init__(self, tried: dict[Mutant, Target]) -> None:
        self.tried = tried
        self.survived: set[str] = set()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed or not passes(session, named(self.tried), None):
            raise pytest.UsageError("the tests must pass before anything is changed")
        for number, (mutant, target) in enumerate(self.tried.items(), 1):
            if passes(session, target.tests, mutant):
                self.survived.add(mutant.key)
            if sys.stderr.isatty():
                print(f"\r{number} of {len(self.tried)}", end="", file=sys.stderr, flush=True)
        return True


def passes(session: pytest.Session, tests: tuple[str, ...], mutant: Mutant | None) -> bool:
    """Tell whether the tests pass in a child process that runs the mutant's code."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    failed = True
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S if mutant else 600,) * 2)
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        if mutant:
            mutant.apply()
        items = [i for i in session.items if i.nodeid.partition("::")[0] in tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                break
        else:
            failed = False
    finally:
        os._exit(failed)


def selected(only: str) -> dict[Mutant, Target]:
    return {
        mutant: target
        for target in TARGETS
        if target.file.startswith(only.partition(" ")[0])
        for mutant in mutants(ROOT, target.file, target.functions)
        if mutant.key.startswith(only)
    }


def named(tried: dict[Mutant, Target]) -> tuple[str, ...]:
    """Return the files of all tests that some mutant needs."""
    return tuple(dict.fromkeys(name for target in tried.values() for name in target.tests))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="FILE", help="a file, or `FILE FUNCTION`")
    only = parser.parse_args().only
    tried = selected(only)
    reasons = yaml.safe_load(EQUIVALENT.read_text("utf-8")) or {}
    trial = Trial(tried)
    with tempfile.TemporaryDirectory() as folder:
        plugins = ("randomly", "xdist", "cacheprovider")
        options = ["-s", "-qq", f"--rootdir={ROOT}", f"--basetemp={folder}/tests"]
        options += [word for name in plugins for word in ("-p", f"no:{name}")]
        code = pytest.main([*options, *(str(ROOT / t) for t in named(tried))], plugins=[trial])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return 2
    return report(
        [*tried], trial.survived, {k: v for k, v in reasons.items() if k.startswith(only)}
    )


def report(tried: list[Mutant], survived: set[str], reasons: dict[str, str]) -> int:
    """Print the outcome by file, then survivors; return the exit code."""
    made = Counter(m.file for m in tried)
    left = Counter(m.file for m in tried if m.key in survived)
    same = Counter(m.file for m in tried if m.key in reasons)
    for file, count in made.items():
        print(f"{file:40} {count - left[file]:5} of {count:4} killed, {same[file]:2} equivalent")
    for m in tried:
        if m.key in survived and m.key not in reasons:
            print(f"{m.file}:{m.line}: survived in {m.function}: {m.change}")
    wrong = [key for key in reasons if key not in survived]
    for key in wrong:
        print(f"listed as equivalent, but killed or gone: {key}")
    killed, total = len(tried) - len(survived), len(tried)
    different = total - len(reasons)
    print(
        f"{total} mutants: {killed} killed ({killed / total:.1%}); "
        f"without {len(reasons)} equivalent ones {killed / different:.1%}"
    )
    return int(bool(wrong) or killed < WANTED * different)


if __name__ == "__main__":
    sys.exit(main())
