"""What must be said: attributes on which frameworks disagree have no built-in default."""

from __future__ import annotations

from dataclasses import dataclass, field

from archcompiler.draft import BoundAttributes
from archcompiler.errors import Report, Row, listed
from archcompiler.op import Op, required
from archcompiler.position import Position
from archcompiler.spec import Layer

_EXAMPLES = {
    "padding": "same", "stride": "2", "kernel": "3", "epsilon": "1e-3", "decay": "0.99",
    "gamma": "true", "alpha": "1e-4", "beta": "0.75", "k": "1.0", "filters": "64",
    "units": "1000", "rate": "0.2", "function": "relu", "size": "5", "factor": "0.17",
    "amount": "1", "initial": "1e-6", "gain": "2.0", "offset": "-1.0",
}  # fmt: skip


@dataclass(slots=True)
class Requirements:
    """Collects what layers leave out, to report it once where several leave out the same."""

    missing: dict[tuple[type[Op], tuple[str, ...]], dict[Position, None]] = field(
        default_factory=dict
    )

    def check(self, op: type[Op], layer: Layer, values: BoundAttributes) -> bool:
        """Tell whether nothing is left out; what is will be reported at the end."""
        missing = tuple(name for name in required(op) if name not in values)
        if missing:
            self.missing.setdefault((op, missing), {})[layer.position] = None
        return not missing

    def report(self, report: Report) -> None:
        """Report what layers leave out: once, where several leave out the same."""
        for (op, names), positions in self.missing.items():
            first, *others = positions
            written = ", ".join(
                f"{op.key if n == op.main else n}: {_EXAMPLES.get(n, '...')}" for n in names
            )
            if op.main in names:
                needs = [f"its {op.main}", *(f"`{n}`" for n in names if n != op.main)]
                hint = f"write `{{{written}}}`"
            else:
                needs = [f"`{n}`" for n in names]
                hint = f"add `{written}` here, or once: `defaults: {{{op.key}: {{{written}}}}}`"
            rows = [Row(label="so does", position=p) for p in others[:3]]
            if len(others) > 3:
                rows.append(Row(label=f"and {len(others) - 3} more"))
            report.error("E309", f"`{op.key}` needs {listed(needs)}", first, rows=rows, hint=hint)
