"""What libyaml's syntax errors mean to a person, and where to point."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trouble:
    """A syntax error in plain words.

    `at_opening` says that the mistake is where the construct began, not where the parser gave up;
    `opening` names that place.
    """

    message: str
    hint: str | None = None
    opening: str = ""
    at_opening: bool = False


DIRECTIVE = Trouble("directives are not used in a spec", "remove this line")
ESCAPE = Trouble("this escape is no character of YAML", "a backslash is written `\\\\`")
COLON = Trouble("a space must follow this `:`", "text that holds a `:` can be put in quotes")
QUESTION = Trouble("a `?` cannot stand here", "text that holds a `?` is put in quotes")


def explain(problem: str, context: str, *, same_line: bool) -> Trouble:
    """Put a parser's problem and context into words; `same_line`: both lie on one line."""
    if "incompatible YAML document" in problem or "directive" in context:
        return DIRECTIVE
    if "escape" in problem or "hex" in problem:
        return ESCAPE
    if "unexpected ':'" in problem:
        return COLON
    if "sequence entries are not allowed" in problem:
        return Trouble("a `-` cannot stand here", "each `-` of a list starts a line of its own")
    if "<document start>" in problem:
        return Trouble("the spec has ended before this line", "check the indentation")
    if "block scalar" in context:
        return Trouble("text cannot follow `|` or `>`", "it starts on the next line, indented")
    if "alphabetic or numeric" in problem:
        return Trouble("an anchor or alias needs a name")
    if "cannot start any token" in problem:
        return Trouble("no value starts with this character", "put the text in quotes")
    if "node content" in problem:
        return Trouble("a value is missing here")
    if "mapping values are not allowed" in problem:
        return Trouble(
            "a `:` cannot stand here",
            "put text that holds `: ` in quotes, and check the indentation of this line",
        )
    for word, opens, closes in (("mapping", "{", "}"), ("sequence", "[", "]")):
        if f"flow {word}" in context:
            if same_line:
                return Trouble(
                    f"expected `,` or `{closes}`",
                    "a comma is missing here, or an inner bracket is not closed",
                    f"`{opens}` opened",
                )
            return Trouble(f"this `{opens}` is not closed", opening="noticed", at_opening=True)
    if "quoted scalar" in context:
        return Trouble("this quote is not closed", opening="noticed", at_opening=True)
    if "simple key" in context:
        return Trouble(
            "expected `key: value`",
            "a space must follow the colon",
            opening="noticed",
            at_opening=True,
        )
    if "block mapping" in context or "block collection" in context:
        return Trouble(
            "the indentation does not fit",
            "keys of one mapping, and the `-` of one list, start in the same column",
            "begun",
        )
    return Trouble(problem or "this is not YAML", opening=context)
