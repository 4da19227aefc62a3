"""Compares many random networks: `python tests/conformance/random_networks.py --count 5000`.

Works in batches, each in a folder of its own that is removed after it. A run that was stopped goes
on where it was by `--start`. With `--patched`, each random spec is extended by one with random
patches; about three of ten are networks.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import harness
from networks import Tally, case, compare, drawn, variants


def main(arguments: list[str] | None = None) -> int:
    """Compare the networks of so many seeds; return 1 where one is not equal."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=5000, help="how many specs to write")
    parser.add_argument("--start", type=int, default=1000, help="the first one's seed")
    parser.add_argument("--batch", type=int, default=200, help="how many run in one process")
    parser.add_argument("--patched", action="store_true", help="extend and patch each spec")
    given = parser.parse_args(arguments)
    total, end = Tally(), given.start + given.count
    for first in range(given.start, end, given.batch):
        start = time.perf_counter()
        seeds = range(first, min(first + given.batch, end))
        batch = compared(seeds, patched=given.patched)
        total.add(batch)
        for mismatch in batch.mismatches:
            print(mismatch)
        took = time.perf_counter() - start
        print(f"seeds {seeds[0]} to {seeds[-1]} in {took:.0f} s: {batch}", flush=True)
    print(f"seeds {given.start} to {end - 1}: {total}")
    return 1 if total.mismatches else 0


def compared(seeds: range, *, patched: bool) -> Tally:
    """Compare one batch."""
    tally = Tally()
    found = variants(seeds, tally) if patched else (n for _, n in drawn(seeds, tally))
    cases = [case(network) for network in found]
    with tempfile.TemporaryDirectory(prefix="archc-") as folder:
        run = harness.run(Path(folder) / "job", lambda framework: cases)
        for one in cases:
            compare(run, one, tally)
    return tally


if __name__ == "__main__":
    sys.exit(main())
