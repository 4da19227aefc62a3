"""The cost of size: time in the rooms load to infer for a body 100 times as long.

    python benchmarks/scaling.py [--pairs 10] [--copies 100]

One copy is the eleven blocks of Inception V3, its reductions at stride 1 so that any number of
copies is legal. It is written in three ways: `literal`, every layer in full; `blocks`, uses of the
five templates; `repeat`, the eleven uses once and a number. The time is CPU time: the rooms run in
one thread, and the machine may have other work.
"""

from __future__ import annotations

import argparse
import gc
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

from pairs import count, environment, measure, medians, ratio

from archcompiler.compiler import compile_file

SPEC = Path(__file__).parents[1] / "specs" / "inception_v3.yaml"
FORMS = ("literal", "blocks", "repeat")

USE = re.compile(r"- \{block: (\w+),(?: with: \{(\w+): (\d+)\},)? name: (\w+), expect: \w+\}")
"""A use as the spec writes it: the template, its one argument, the name."""


def sections() -> dict[str, str]:
    """Return the text of the spec's sections by name, with reductions that keep the size."""
    text = SPEC.read_text(encoding="utf-8").replace("stride: 2, padding: valid, ", "")
    text = text.replace("{max_pool: 3, ", "{max_pool: 3, stride: 1, padding: same, ")
    parts = re.split(r"^(\w+):", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def written(form: str, copies: int) -> str:
    """Return a spec whose body is that many copies of Inception V3's blocks."""
    spec = sections()
    uses = USE.findall(spec["body"])
    many = [(f"{use[3]}_{number}", use) for number in range(copies) for use in uses]
    if form == "literal":
        parts = re.split(r"^  (\w+):\n", spec.pop("blocks"), flags=re.MULTILINE)
        templates = dict(zip(parts[1::2], map(dedent, parts[2::2]), strict=True))
        body = "".join(f"  - name: {n}\n{in_full(templates[use[0]], use)}" for n, use in many)
    elif form == "blocks":
        body = "".join(f"  - {{name: {name}, {call(use)}}}\n" for name, use in many)
    else:
        layers = "".join(f"      - {{name: {use[3]}, {call(use)}}}\n" for use in uses)
        body = f"  - name: Copy\n    repeat: {copies}\n    layers:\n{layers}"
    spec |= {"input": " 35x35x192\n", "stem": " []\n", "body": f"\n{body}"}
    head = "[global_avg_pool, {dense: $num_classes, init: glorot_uniform, name: classifier}]"
    spec["heads"] = f" {{Logits: {head}}}\n"
    return "".join(f"{key}:{text}" for key, text in spec.items())


def call(use: tuple[str, ...]) -> str:
    """Return what a use holds besides its name."""
    template, parameter, value, _ = use
    return f"block: {template}" + (f", with: {{{parameter}: {value}}}" if parameter else "")


def in_full(template: str, use: tuple[str, ...]) -> str:
    """Return a template's branches as a use has them."""
    branches = template[template.index("branches:") :]
    return indent(branches.replace(f"${use[1]}", use[2]) if use[1] else branches, "    ")


def rooms(path: Path, times: int) -> Callable[[], float]:
    """Return a function that compiles the file so many times and gives the mean CPU seconds."""

    def run() -> float:
        gc.collect()
        start = time.process_time()
        for _ in range(times):
            compile_file(path)
        return (time.process_time() - start) / times

    return run


def main() -> None:
    """Measure each form and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=count, default=10)
    parser.add_argument("--copies", type=count, default=100)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            one, many = Path(folder, f"{form}_1.yaml"), Path(folder, f"{form}_n.yaml")
            one.write_text(written(form, 1), encoding="utf-8")
            many.write_text(written(form, args.copies), encoding="utf-8")
            layers = [len(list(compile_file(p).network.walk())) for p in (many, one)]
            found = measure(rooms(many, 1), rooms(one, 10), args.pairs)
            long, short = medians(found)
            growth = long / short / (layers[0] / layers[1])
            print(f"{form}: {layers[0]:,} layers over {layers[1]}: {ratio(found)}")
            print(f"  medians {long:.3f} s and {short:.5f} s, {growth:.2f} a layer", flush=True)
    print(environment())


if __name__ == "__main__":
    main()
