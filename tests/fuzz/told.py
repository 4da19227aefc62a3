"""Runs a command in this process, and looks at its exit code and at all that it prints."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import logged
from click.testing import CliRunner, Result
from trial import Wrong

from archcompiler import source
from archcompiler.cli import main

CODES = (0, 1, 2)
ANNOTATION = re.compile(
    r"::(?:error|notice) (?:file=[^\r\n:,]+,line=\d+,col=\d+,)?title=E\d{3}::[^\r\n]*"
)


def told(command: Sequence[str]) -> Result:
    """Run a command; raises `Wrong` where what comes of it is not as every command's must be."""
    done = CliRunner().invoke(main, command)
    if done.exit_code not in CODES or "bug in archc" in done.output:
        raise Wrong(f"exit code {done.exit_code} of {command}: {done.output[:300]}")
    if not done.output.replace("\n", "").isprintable():
        raise Wrong(f"{command} prints {done.output!r}"[:600])
    for line in logged.seen(done.output).split("\n"):
        if logged.AT_START.search(line) and not (
            "github" in command and ANNOTATION.fullmatch(line)
        ):
            raise Wrong(f"{command} prints the command {line!r}"[:600])
        if found := logged.ANYWHERE.search(line):
            raise Wrong(f"{command} prints {found[0]!r} in {line!r}"[:600])
    if "json" in command and done.stdout:
        json.loads(done.stdout)
    elif command[0] == "resolve" and done.exit_code == 0:
        source.parse(done.stdout, "resolved.yaml")
    return done
