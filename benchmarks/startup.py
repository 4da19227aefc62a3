"""The cost of starting: CPU time of `archc check SPEC` over that of importing what it stands on.

    python benchmarks/startup.py [--pairs 20] [SPEC]

The baseline is `python -c "import yaml, pydantic, click"`. CPU time is user plus system time of
the child process, whatever else the machine does. Both have their bytecode in a folder of this
run, as an installed package has it, whatever the environment says. Needs Linux or macOS.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from pairs import count, environment, measure, medians, ratio

SPEC = Path(__file__).parents[1] / "specs" / "inception_v3.yaml"
BASELINE = "import yaml, pydantic, click"


def cpu_time(variables: Mapping[str, str], *command: str) -> Callable[[], float]:
    """Return a function that runs the command once and gives its CPU seconds."""

    def run() -> float:
        process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
        return usage.ru_utime + usage.ru_stime

    return run


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=count, default=20)
    parser.add_argument("spec", nargs="?", type=Path, default=SPEC, metavar="SPEC")
    args = parser.parse_args()
    archc = str(Path(sys.executable).with_name("archc"))
    with tempfile.TemporaryDirectory() as folder:
        variables = os.environ | {"PYTHONPYCACHEPREFIX": folder}
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        check = cpu_time(variables, archc, "check", str(args.spec))
        baseline = cpu_time(variables, sys.executable, "-c", BASELINE)
        for warm_up in (check, baseline):  # both write their bytecode and fill the file cache
            warm_up()
        found = measure(check, baseline, args.pairs)
    ours, theirs = medians(found)
    print(f"archc check {args.spec.name} over `{BASELINE}`, CPU time: {ratio(found)}")
    print(f"medians {1000 * ours:.0f} ms and {1000 * theirs:.0f} ms")
    print(environment())


if __name__ == "__main__":
    main()
