"""What may be a name: an identifier that is safe in Python, torch, Keras and any file system."""

from __future__ import annotations

import keyword
import re

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
SCHEMA_PATTERN = "^[A-Za-z][A-Za-z0-9_]{0,63}$"

# References and paths use these words.
LANGUAGE = frozenset({"input", "stem", "body", "blocks"})

# Public attributes of torch's Module and Sequential: a layer of that name would replace one.
# Held against the installed torch by a test.
TORCH_ATTRIBUTES = frozenset(
    """
    T_destination add_module append apply bfloat16 buffers call_super_init children compile cpu
    cuda double dump_patches eval extend extra_repr float forward get_buffer get_extra_state
    get_parameter get_submodule half insert ipu load_state_dict modules mtia named_buffers
    named_children named_modules named_parameters parameters pop register_backward_hook
    register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook
    register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state
    set_submodule share_memory state_dict to to_empty train training type xpu zero_grad
    """.split()
)

# Methods of the emitted network, and of the tuples it returns.
EMITTED = frozenset({"count", "end_points", "index", "init_weights", "param_groups", "self"})

# Files of these names cannot exist on Windows.
WINDOWS = frozenset({"aux", "con", "nul", "prn"}) | {
    f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)
}

# Words that mean something in expressions and in calls of the emitted code.
PARAMETER_WORDS = frozenset(
    {"in_channels", "input", "output", "name", "x", "self", "min", "max", "int", "round", "ceil"}
    | {"floor"}
)


def problem(name: str) -> str | None:
    """Say why `name` cannot name a layer, block, head or spec; None when it can."""
    if not name:
        return "a name cannot be empty"
    if not IDENTIFIER.fullmatch(name):
        odd = next((c for c in name if not (c.isascii() and (c.isalnum() or c == "_"))), None)
        if odd is not None:
            shown = f"`{odd}` " if odd.isprintable() else ""
            return f"a name has letters, digits and _ only, not {shown}(U+{ord(odd):04X})"
        if len(name) > 64:
            return "a name has at most 64 characters"
        return f"a name starts with a letter, `{name}` does not"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return f"`{name}` is a word of Python"
    if name in LANGUAGE:
        return f"`{name}` is a word of the language"
    if name in TORCH_ATTRIBUTES:
        return f"`{name}` is an attribute of every torch module"
    if name in EMITTED:
        return f"`{name}` is a word of the emitted code"
    if name.lower() in WINDOWS:
        return f"`{name}` is the name of a device on Windows"
    return None


def free_name(name: str) -> str | None:
    """Return a name like `name` that is allowed, or None where none is obvious."""
    if not name.isascii():
        return None
    plain = re.sub("[^A-Za-z0-9_]+", "_", name).strip("_")
    for candidate in (plain, f"{plain}_head" if plain.lower() in WINDOWS else f"{plain}_1"):
        if (
            candidate != name
            and problem(candidate) is None
            and parameter_problem(candidate) is None
        ):
            return candidate
    return None


def parameter_problem(name: str) -> str | None:
    """Say why `name` cannot name a parameter; None when it can."""
    if name in PARAMETER_WORDS:
        return f"`{name}` has a meaning of its own in expressions or calls"
    if not IDENTIFIER.fullmatch(name) or keyword.iskeyword(name):
        return problem(name) or f"`{name}` cannot be a parameter"
    return None


def camel_case(name: str) -> str:
    """`inception_v3` to `InceptionV3`; what is upper case stays."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def snake_case(name: str) -> str:
    """`AuxLogits` to `aux_logits`, `Mixed_5b` to `mixed_5b`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return spaced.lower()
