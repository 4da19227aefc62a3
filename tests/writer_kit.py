"""Three builds that share and change files, for the tests of the writer."""

from __future__ import annotations

A = {
    "model.py": "width = 1\n",
    "benchmark.py": "steps = 100\n",
    "architecture.json": "in_a = 1\n",
}
B = {
    "model.py": "width = 2\nheight = 2\n",
    "benchmark.py": "steps = 100\n",
    "weights.py": "b = 'ü'\n",
}
C = {"model.py": "width = 3\n", "benchmark.py": "steps = 300\n", "README.md": "# c\n"}
