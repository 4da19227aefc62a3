"""`python -m archcompiler`: the command line where no script is on the path."""

from __future__ import annotations

from archcompiler.cli import main

main(prog_name="archc")
