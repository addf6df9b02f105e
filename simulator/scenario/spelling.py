"""Values as the Python that makes them: what a failing example prints can be pasted.

`from simulator import *` knows every name that is written: laws, arrivals and keys are written as
the functions that make them, and what goes without saying is left out.
"""

import re
from typing import Any

import attrs

from simulator.scenario.validation import FrozenMapping

MAKERS = (
    "Bursts", "Constant", "Empirical", "Exponential", "HotKey", "Lognormal", "NoKeys", "Poisson",
    "SkewedKeys", "Steady", "Uniform", "UniformKeys",
)  # fmt: skip
NAMES = {name: re.sub("(?=[A-Z])", "_", name)[1:].lower() for name in MAKERS}


def spelled(value: Any) -> str:
    """The value as Python."""
    if isinstance(value, FrozenMapping):
        return repr(value)  # As the dict that whoever takes it makes one of.
    if attrs.has(type(value)):
        return _made(value)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        inside = ", ".join(map(spelled, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, list):
        return f"[{', '.join(map(spelled, value))}]"
    if callable(value):
        return str(getattr(value, "__name__", None) or repr(value))
    return repr(value)


def _made(value: Any) -> str:
    name = type(value).__name__
    told = []
    for field in attrs.fields(type(value)):
        given = getattr(value, field.name)
        if not _goes_without_saying(field, given):
            told.append(f"{field.name}={spelled(given)}")
    return f"{NAMES.get(name, name)}({', '.join(told)})"


def _goes_without_saying(field: Any, given: Any) -> bool:
    default = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return bool(given == default.factory())
    return default is not attrs.NOTHING and bool(given == default)


def changes(base: Any, changed: Any) -> str:
    """The fields in which one value differs from another of its class, as arguments."""
    told = [
        f"{field.name}={spelled(getattr(changed, field.name))}"
        for field in attrs.fields(type(base))
        if getattr(changed, field.name) != getattr(base, field.name)
    ]
    return ", ".join(told)


def pretty(value: Any, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - as it is called
    """A class's `_repr_pretty_`, by which Hypothesis and IPython print its values."""
    printer.text(spelled(value))


__all__ = ["changes", "pretty", "spelled"]
