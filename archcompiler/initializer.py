"""Initialisers: what a spec may write, and what it means."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archcompiler.errors import WrongValue


@dataclass(frozen=True, slots=True)
class Init:
    """An initialiser: its kind and, by kind, its number, fan mode and distribution.

    `truncated_normal` is cut at two standard deviations, or at plus and minus `cut`.
    `variance_scaling` draws with variance value / n, n being the fan that `mode` names (He et al.,
    arXiv 1502.01852); `glorot_*` is the case value = 1 of fan_avg (Glorot and Bengio, 2010),
    `he_*` the case value = 2 of fan_in.
    """

    kind: str
    value: float | None = None
    mode: str | None = None
    distribution: str | None = None
    cut: float | None = None


INIT_WORDS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "zeros", "ones")
INIT_NUMBERS = ("truncated_normal", "normal", "uniform", "constant", "variance_scaling")
FAN_MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "normal", "uniform")


def parse_init(value: object) -> Init:
    """Read an initialiser. Raises `WrongValue`."""
    if isinstance(value, Init):
        return value
    if isinstance(value, str) and value in INIT_WORDS:
        return Init(value)
    if not isinstance(value, dict) or not value:
        raise WrongValue
    options = dict(value)
    kinds = [k for k in options if k in INIT_NUMBERS]
    if len(kinds) != 1:
        raise WrongValue
    kind = kinds[0]
    number = options.pop(kind)
    if type(number) not in (int, float) or not math.isfinite(number):
        raise WrongValue
    if kind != "constant" and number <= 0:
        raise WrongValue(hint=f"the number of `{kind}` is above 0")
    mode = distribution = None
    if kind == "variance_scaling":
        mode = options.pop("mode", "fan_in")
        distribution = options.pop("distribution", "truncated_normal")
        if mode not in FAN_MODES:
            raise WrongValue(hint=f"the mode is {', '.join(FAN_MODES)}")
        if distribution not in DISTRIBUTIONS:
            raise WrongValue(hint=f"the distribution is {', '.join(DISTRIBUTIONS)}")
    cut = options.pop("cut", None) if kind == "truncated_normal" else None
    if cut is not None and not (type(cut) in (int, float) and math.isfinite(cut) and cut > 0):
        raise WrongValue(hint="the cut is a number above 0: what is drawn lies within it")
    if options:
        raise WrongValue(hint=f"`{kind}` has no option `{next(iter(options))}`")
    return Init(kind, float(number), mode, distribution, None if cut is None else float(cut))


def init_text(init: Init) -> object:
    """Write an initialiser as a spec does."""
    if init.value is None:
        return init.kind
    options: dict[str, object] = {init.kind: init.value}
    if init.mode is not None:
        options |= {"mode": init.mode, "distribution": init.distribution}
    if init.cut is not None:
        options["cut"] = init.cut
    return options
