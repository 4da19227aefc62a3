"""Runs a command in this process, and looks at its exit code and at all that it prints."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from click.testing import CliRunner, Result
from trial import Wrong

from archcompiler import source
from archcompiler.cli import main

CODES = (0, 1, 2)
COMMAND = re.compile(r"^\s*::")
"""What the log of a run on GitHub takes for a command."""
UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0]")
"""Printable signs that have no width, and that a comparison by culture overlooks."""
ANYWHERE = re.compile(r"##[a-z]*\[", re.IGNORECASE)
"""What the logs of GitHub, Azure and TeamCity take for one, also in the middle of a line."""
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
    for line in UNSEEN.sub("", done.output).split("\n"):
        if COMMAND.search(line) and not ("github" in command and ANNOTATION.fullmatch(line)):
            raise Wrong(f"{command} prints the command {line!r}"[:600])
        if found := ANYWHERE.search(line):
            raise Wrong(f"{command} prints {found[0]!r} in {line!r}"[:600])
    if "json" in command and done.stdout:
        json.loads(done.stdout)
    elif command[0] == "resolve" and done.exit_code == 0:
        source.parse(done.stdout, "resolved.yaml")
    return done
