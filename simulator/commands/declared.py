"""What a file of an experiment declares, and what its own options are.

A file declares `EXPERIMENT = Experiment(...)`, or a function `experiment(...)` that answers with
one. The function's keyword arguments are options of the command line: `span_ms: int = 60_000` is
`--span-ms 60000`. A worker process calls the function again, so its arguments are plain values.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from simulator.commands.outcome import WrongUsage
from simulator.commands.sandbox import reachable
from simulator.errors import BadInput
from simulator.study.experiment import Experiment
from simulator.study.reference import Reference, load, load_module

Answer = TypeVar("Answer")

VALUE = "EXPERIMENT"
FUNCTION = "experiment"
KINDS = {int: "a whole number", float: "a number", str: "text"}


@attrs.frozen
class Declared:
    """An experiment, and where a worker finds it."""

    path: Path
    reference: Reference
    experiment: Experiment
    illustrate: Callable[..., Any] | None


def declared(path: Path, words: Sequence[str]) -> Declared:
    """The experiment of a file, built with the options that are its own.

    Raises:
        WrongUsage: the file declares none, or has no such option.
    """
    place = reachable(path)
    module = load_module(place)
    build = getattr(module, FUNCTION, None)
    if callable(build):
        given = arguments(build, words)
        reference = Reference(place, FUNCTION, tuple(given.items()))
    elif hasattr(module, VALUE):
        if words:
            raise WrongUsage("the experiment has no options of its own, not", "", " ".join(words))
        reference = Reference(place, VALUE)
    else:
        fix = f"it must hold {VALUE} = Experiment(...), or a function {FUNCTION}()"
        raise WrongUsage("no experiment is declared in", "", str(path), fix)
    experiment = load(reference)
    if not isinstance(experiment, Experiment):
        raise WrongUsage("not an Experiment:", str(reference), experiment)
    return Declared(path, reference, experiment, getattr(module, "illustrate", None))


def arguments(build: Callable[..., Any], words: Sequence[str]) -> dict[str, Any]:
    """`--span-ms 60000` for a parameter `span_ms: int`, as {"span_ms": 60000}.

    Raises:
        WrongUsage: no parameter has the name, a value is missing, or is not of its kind.
    """
    known = {
        "--" + name.replace("_", "-"): parameter
        for name, parameter in inspect.signature(build).parameters.items()
    }
    found: dict[str, Any] = {}
    rest = list(words)
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        if option not in known:
            fix = "its own are " + ", ".join(known) if known else "it has none of its own"
            raise WrongUsage("the experiment has no option", "", option, fix)
        if not equals:
            if not rest:
                raise WrongUsage("a value is missing after", "", option)
            value = rest.pop(0)
        parameter = known[option]
        found[parameter.name] = of_kind(parameter, option, value)
    return found


def of_kind(parameter: inspect.Parameter, option: str, value: str) -> Any:
    """The text as what the parameter's annotation, or its default, says."""
    kind = parameter.annotation
    for one in (int, float):
        if kind is one or str(kind).startswith(one.__name__) or type(parameter.default) is one:
            try:
                return one(value)
            except ValueError:
                raise WrongUsage(f"{option} is {KINDS[one]}, not", "", value) from None
    return value


def labels_of(text: str, factors: Iterable[str]) -> dict[str, str]:
    """`crashes=2% lost answers=none` as {factor: level}; both may hold blanks.

    Raises:
        WrongUsage: the text does not begin with a factor and its level, or names a factor twice.
    """
    names = "|".join(re.escape(factor) for factor in factors)
    parts = re.split(rf"(?:^|\s+)({names})=", text.strip()) if names else [text.strip()]
    if parts[0] or "" in parts[2::2]:
        known = f"'factor=level factor=level'; factors: {names.replace('|', ', ') or 'none'}"
        raise WrongUsage("no cell is called", "--cell", text, known)
    named = parts[1::2]
    twice = [factor for factor in named if named.count(factor) > 1]
    if twice:
        raise WrongUsage(f"factor {twice[0]} is given twice in", "--cell", text, "leave one")
    return dict(zip(named, parts[2::2], strict=True))


def as_usage(function: Callable[..., Answer], *arguments: Any) -> Answer:
    """What the function answers; what it finds wrong was wrong on the command line.

    Raises:
        WrongUsage: the function raised BadInput.
    """
    try:
        return function(*arguments)
    except WrongUsage:
        raise
    except BadInput as error:
        raise WrongUsage(error.what, error.where, error.value, error.fix) from error
