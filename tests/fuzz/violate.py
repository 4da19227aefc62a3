"""Breaks one rule of a good spec at a time, and knows what archc must say, and at which line."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to find in a line, what to put in its place, and the codes that are right.

    The error belongs to any of the lines that are put there.
    """

    find: str
    put: str
    codes: frozenset[str]


VALUES = {
    r"\{conv: \d+": (
        "E204",
        "{conv: ",
        ("0", "-8", "true", "'64'", "6.5", "[8]", ".nan", "1e999", "4294967296", "many"),
    ),
    r"kernel: [\dx]+": (
        "E204",
        "kernel: ",
        ("0", "-3", "[3]", "3x3x3", "3 x 3", "wide", "3.5", "true", "{a: 1}"),
    ),
    r"stride: [\dx]+": ("E204", "stride: ", ("0", "-1", "1.5", "[2, 2]")),
    r"padding: \w+": ("E204", "padding: ", ("-1", "sane", "[1, 1, 1]", "1.5")),
    r"(?<!0\.2, )(?<!1\.0, )activation: \w+": ("E204", "activation: ", ("rellu", "7", "[relu]")),
    r"epsilon: [\de.-]+": ("E204", "epsilon: ", ("0", "-1e-3", ".nan", "small")),
    r"(?<!_)decay: [\de.-]+": ("E204", "decay: ", ("1", "-0.1", ".inf", "5")),
    r"(?<!params: )\{dropout: [$\w.]+": ("E204", "{dropout: ", ("1.0", "-0.5", ".nan")),
    r"name: \w+": (
        "E206",
        "name: ",
        (
            *("class", "forward", "aux", "1x", "a/b", "'a b'", "'\u0430b'", "'\ufb01lter'", "''"),
            *("7", "a" * 65, "input", "__init__", "lambda"),
        ),
    ),
}
"""What may be written there, the code that is right, how it starts, and wrong values."""

RULES = (
    *(
        Rule(find=find, put=start + value, codes=frozenset({code}))
        for find, (code, start, values) in VALUES.items()
        for value in values
    ),
    *(
        Rule(find=find, put=put, codes=frozenset(codes.split()))
        for find, put, codes in (
            (r"\{conv: ", "{cnov: ", "E202"),
            (r"\{conv: ", "{Conv2D: ", "E202"),
            (r"\{max_pool: ", "{pool_of_max: ", "E202"),
            (r"kernel: ", "kernle: ", "E201"),
            (r"kernel: ", "size_of_it: ", "E201"),
            (r"name: ", "label: ", "E201"),
            (r"\{conv: (\d+), ", r"{conv: \1, dense: 3, ", "E203 E202"),
            (r"\{block: \w+", "{block: nowhere", "E301"),
            (r"\$\w+", "$nowhere", "E308"),
            (r"\{conv: \d+", "{conv: $1 / 0", "E401"),
            (r"\{conv: \d+", "{conv: $a.b", "E208"),
            (r"\{conv: \d+", "{conv: '$open(1)'", "E208"),
            (
                r"(\{conv: \d+, )kernel: [\dx]+(?!.*(?:shrink|padding|stride))",
                r"\1kernel: 999, padding: valid",
                "E404 E410",
            ),
            (r", name: (\w+)", r", name: \1, name: \1", "E105"),
            (r"\{conv: ", "{conv: !!int ", "E106"),
            (r"\{conv: ", "{<<: {a: b}, conv: ", "E106"),
            (r"\{conv: \d+", "{conv: *nowhere", "E112"),
            (r"\{conv: \d+", "{conv: 0x40", "E108"),
            (r"\{conv: \d+", "{? [1] : 2, conv: 8", "E111"),
            (r"\{conv: \d+", "{1: 2, conv: 8", "E111"),
            (r"name: (\w+)\}", r"name: \1, from: nowhere}", "E302 E105"),
            (r"name: (\w+)\}", r"name: \1, expect: 1x1x1}", "E406"),
            (r"name: (\w+)\}", r"name: \1, repeat: 1000000000}", "E304 E105"),
            (r"name: (\w+)\}", r"name: \1, repeat: 0}", "E204 E105"),
            (r"(\{conv: [^{}]*name: \w+)\}", r"\1, groups: 7}", "E407"),
            (r"expect: [\dx]+", "expect: 7x7x7", "E406"),
            (r"expect: [\dx]+", "expect: 7*7", "E204"),
            (r"^archc: 1", "archc: 2", "E207"),
            (r"^input: [\dx]+", "input: 299x299", "E204"),
            (r"^input: [\dx]+", "input: 0x0x3", "E204"),
            (r"^output: \w+", "output: Nowhere", "E313"),
            (r"loss_weight: [\d.]+", "loss_weight: -1", "E204"),
            (r"training_only: true", "training_only: 1", "E204"),
            (r"^(\w+):", r"\1s:", "E201"),
            (r"^  (\w)", "\t\\1", "E104"),
            (r"^params: \{", "params: {nobody: 1, ", "E320"),
            (r"^extends: \w+", "extends: nowhere", "E114"),
            (r"^extends: \w+", "extends: ../other.yaml", "E114"),
            (r"^extends: \w+", "extends: /etc/passwd", "E114"),
            (r"^extends: \w+", "extends: [a]", "E114"),
            (r"\{(?:set|remove): ", "{sett: ", "E211"),
            (r"\{(set|remove|replace|after): [\w/]+", r"{\1: Nowhere/a", "E318"),
            (r"\{(set|remove|replace|after): [\w/]+", r"{\1: a b", "E211"),
            (r"\{(remove|replace|after): [\w/]+", r"{\1: body", "E319"),
            (r"\{set: ([\w/]+), ", r"{set: \1, nobody: null, ", "E201"),
            (r"\{set: ([\w/]+), ", r"{set: \1, remove: \1, ", "E211"),
            (r"(by|insert): ", r"\1e: ", "E205"),
            (r"  - (\{conv: .*), name: \w+", r"  - \1", "E306 E209"),
            (r"(?<!\w)([A-Z]\w+): \{conv: ", r"\1: {name: x, conv: ", "E209"),
            (r"by: \{conv: 6", "by: {conv: 7", "E403"),
            (r"\{dense: \$num_classes, name: (?!fc\b)", "{dense: 2000000000, name: ", "E410"),
            (r"\{block: (\w+), with: \{", r"{block: \1, with: {nobody: 1, ", "E307"),
            (r"name: (\w+)\}", r"name: \1, repeat: $in_channels}", "E311 E105"),
            (r"\{conv: (\d+), kernel: [\dx]+", r"{conv: \1", "E309 E205"),
            (r"\{add, from: \[\w+, \w+\]", "{add, from: [input]", "E312"),
            (r"\{conv: [^{}]*(?=, name)", "{concat", "E312"),
            (r"^    params: \{(?=\w)", "    params: {num_classes: 1, ", "E315"),
            (r"^blocks:", "blocks:\n  nobody: {layers: [{identity, name: a}]}", "E316"),
            (
                r"^      (Branch_\d: \[?\{conv: \d+, kernel: 1)(?=[,}])(?!.*stride)",
                r"      \1, stride: 2",
                "E402",
            ),
            (r"^    - \{(?=conv)", "    - flatten\n    - {", "E405"),
            (r"^        - \{(?=conv)", "        - global_avg_pool\n        - {", "E405"),
            (r"(square|share): \$share", r"\1: $share + 1", "E408"),
            (r"\{conv: \d+", "{conv: $1 / 2", "E409"),
            (r"kernel: [\dx]+", "kernel: $1 - 1", "E409"),
            (r"^(    +- )\{(?=conv)", r"\1squeeze\n\1{", "E411"),
            (r"\{(max|avg)_pool: \d+(?!.*padding|.*stride: 3)", r"{\1_pool: 1, padding: 3", "E412"),
        )
    ),
)


def violated(text: str, draw: random.Random) -> tuple[str, Rule, range]:
    """Return a spec with one rule broken, the rule, and the lines where it is."""
    lines = text.split("\n")
    while True:
        rule = draw.choice(RULES)
        places = [
            (number, match)
            for number, line in enumerate(lines)
            for match in re.finditer(rule.find, line)
            if not line.lstrip().startswith("#")
        ]
        if places:
            break
    number, match = draw.choice(places)
    line = lines[number]
    lines[number] = line[: match.start()] + match.expand(rule.put) + line[match.end() :]
    first = number + 1
    return "\n".join(lines), rule, range(first, first + 1 + rule.put.count("\n"))
