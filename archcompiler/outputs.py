"""Which head is the output of a network."""

from __future__ import annotations

from archcompiler.blame import edit_row
from archcompiler.errors import Report, Row, did_you_mean, one_of
from archcompiler.spec import Spec, removed


def output(spec: Spec, report: Report) -> str:
    """Return the name of the head that is the network's output; E313 where it is none."""
    heads = spec.heads
    evaluated = [h.name.text for h in heads if not h.training_only]
    wanted = spec.output
    if wanted is None:
        if len(evaluated) > 1:
            report.error(
                "E313",
                f"the output may be {one_of(evaluated)}",
                next(h.name.position for h in heads if not h.training_only),
                hint=f"say it at the top: `output: {evaluated[0]}`",
            )
        elif not evaluated:
            left = "every head is training-only" if heads else "no head is left"
            report.error(
                "E313",
                f"{left}, so nothing is the output",
                heads[0].name.position if heads else spec.position,
                rows=_removed(spec),
                hint="add a head without `training_only`" if heads else "add one under `heads:`",
            )
        return evaluated[0] if evaluated else ""
    if wanted.text not in evaluated:
        training = [h.name.text for h in heads if h.training_only]
        reason = "is training-only" if wanted.text in training else "is no head"
        report.error(
            "E313",
            f"the output `{wanted}` {reason}",
            wanted.position,
            rows=removed(spec, f"heads/{wanted}"),
            hint=did_you_mean(wanted.text, evaluated)
            or (
                f"say another: {one_of([f'output: {name}' for name in evaluated])}"
                if evaluated
                else None
            ),
        )
    return wanted.text


def _removed(spec: Spec) -> tuple[Row, ...]:
    """Return the patches that removed heads."""
    left = {head.name.text for head in spec.heads}
    return tuple(
        edit_row(patch)
        for patch in spec.patches
        if patch.verb == "remove" and f"heads/{patch.path}" in spec.born and patch.path not in left
    )
