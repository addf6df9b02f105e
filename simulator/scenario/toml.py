"""A scenario as a TOML file: read strictly, every problem at once, and written back.

1. The file has the fields of `Scenario` under their own names; what is absent has its default.
2. Nothing is coerced: 2.7 is not 2, "3" is not 3, true is not 1.
3. Delay laws are tables with a `law`, such as { law = "exponential", mean_us = 1500 }; each
   time may be given in milliseconds instead (`mean_ms`). Arrivals, keys and faults are tables
   with a `kind`. A guarantee is its name, or a table.
4. Functions (a handler, an application) have no place in a file.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from simulator.chance import laws
from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS
from simulator.scenario import faults, validation, workload
from simulator.scenario.guarantee import GUARANTEES, Guarantee
from simulator.scenario.scenario import Scenario
from simulator.scenario.toml_text import FUNCTIONS, WORD_OF, dumps

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["dumps", "load", "loads", "table_of", "text_of"]

_AT_LINE = re.compile(r"(.*?) \((?:at line (\d+), column \d+|at end of document)\)\Z", re.DOTALL)


def load(path: str | Path) -> Scenario:
    """Read a scenario from a TOML file in UTF-8.

    Raises:
        BadInput: the file cannot be read, is not TOML, or says something it may not; then all
            problems are told at once, each with its path, its value and a cure.
    """
    return loads(text_of(path), str(path))


def loads(text: str, where: str = "scenario") -> Scenario:
    """Read a scenario from TOML text; `where` names it in errors.

    Raises:
        BadInput: as `load`.
    """
    return _structure(table_of(text, where), where)


def text_of(path: str | Path) -> str:
    """The text of a TOML file.

    Raises:
        BadInput: it cannot be read, or is not UTF-8.
    """
    where = str(path)
    try:
        return Path(path).read_bytes().decode("utf-8")
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise BadInput(f"cannot be read: {reason}", where, None, "give a TOML file") from None
    except UnicodeDecodeError:
        raise BadInput("is not UTF-8", where, None, "save the file in UTF-8") from None


def table_of(text: str, where: str) -> dict[str, Any]:
    """What TOML text says, as a plain table; `where` names it in errors.

    Raises:
        BadInput: it is not TOML.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise _syntax_error(str(problem), text, where) from None
    except ValueError:  # Python reads no whole number of more than some thousand digits.
        raise BadInput("is not TOML: a number in it has too many digits", where) from None


def _syntax_error(message: str, text: str, where: str) -> BadInput:
    found = _AT_LINE.match(message)
    if not found:
        return BadInput(f"is not TOML: {message}", where)
    lines = text.splitlines()
    number = int(found[2] or max(1, len(lines)))
    line = lines[number - 1].strip() if number <= len(lines) else ""
    return BadInput(f"is not TOML ({found[1]}):", f"{where}, line {number}", line)


# --- Reading -------------------------------------------------------------------------------


def _structure(table: dict[str, Any], where: str) -> Scenario:
    from cattrs import BaseValidationError

    try:
        scenario: Scenario = _converter().structure(table, Scenario)
    except BaseValidationError as group:
        problems = _problems(group, "")
        if len(problems) == 1:
            path, one = problems[0]
            place = f"{where}: {path}" if path else where
            raise BadInput(one.what, place, one.value, one.fix) from None
        told = [BadInput(one.what, path, one.value, one.fix) for path, one in problems]
        text = "".join(f"\n  {one}" for one in told)
        raise BadInput(f"{len(told)} problems{text}", where) from None
    return scenario


def _problems(error: BaseException, path: str) -> list[tuple[str, BadInput]]:
    """The leaves of cattrs' tree of errors, each with its path."""
    from cattrs import BaseValidationError, ClassValidationError, ForbiddenExtraKeysError

    match error:
        case BaseValidationError():
            found = []
            for inner in error.exceptions:
                notes = getattr(inner, "__notes__", ())
                step = next((note for note in notes if hasattr(note, "type")), None)
                below = path
                if step is not None and isinstance(error, ClassValidationError):
                    below = f"{path}.{step.name}" if path else step.name
                elif step is not None:
                    below = f"{path}[{step.index}]"
                found += _problems(inner, below)
            return found
        case ForbiddenExtraKeysError():
            known = [one.name for one in attrs.fields(error.cl) if one.name not in FUNCTIONS]
            return [
                (path, BadInput("unknown field", "", name, _instead(name, known)))
                for name in sorted(error.extra_fields)
            ]
        case BadInput():
            # A rule between fields names the field itself; a field's own stands in the path.
            field = error.where.partition(".")[2]
            above, _, last = path.rpartition(".")
            if field.partition("[")[0] == last:
                path = above
            return [(".".join(part for part in (path, field) if part) or path, error)]
        case KeyError():
            return [(path, BadInput("is missing", "", None, "it has no default"))]
    raise error


def _instead(name: str, known: list[str]) -> str:
    if name in FUNCTIONS:
        return "functions have no place in a file: set it in Python"
    return validation.near(name, known)


def _converter() -> "Converter":
    from cattrs import Converter

    converter = Converter(detailed_validation=True)
    for plain, said in ((int, "a whole number"), (str, "text"), (bool, "true or false")):
        converter.register_structure_hook(plain, _exactly(said, plain))
    converter.register_structure_hook(float, _exactly("a number", int, float))
    converter.register_structure_hook_factory(attrs.has, _fields_of(converter))
    converter.register_structure_hook_func(_is_tuple, _tuple_of(converter))
    converter.register_structure_hook_func(_is_settings, _settings)
    for union in (laws.Delay, workload.Arrivals, workload.Keys, faults.Fault):
        converter.register_structure_hook_func(_same(union), _one_of(converter))
    converter.register_structure_hook(workload.WorkItem, _work_item)
    whole = converter.get_structure_hook(Guarantee)

    def guarantee(value: Any, cls: type) -> Any:
        if not isinstance(value, str):
            return whole(value, cls)
        if value not in GUARANTEES:
            fix = validation.near(value, GUARANTEES)
            raise BadInput("is no guarantee:", "", value, fix)
        return GUARANTEES[value]

    def plan(value: Any, _: type) -> faults.FaultPlan:
        return faults.FaultPlan(converter.structure(value, tuple[faults.Fault, ...]))

    converter.register_structure_hook(Guarantee, guarantee)
    converter.register_structure_hook(faults.FaultPlan, plan)
    return converter


def _exactly(said: str, *types: type) -> Callable[[Any, Any], Any]:
    def hook(value: Any, _: Any) -> Any:
        if type(value) not in types:
            raise BadInput(f"must be {said}:", "", value, "nothing is converted")
        return value

    return hook


def _fields_of(converter: "Converter") -> Callable[[Any], Callable[[Any, Any], Any]]:
    """Hooks for our classes: fields by type, then each by its own validator, then the whole."""
    from cattrs.gen import make_dict_structure_fn, override

    def checked(cls: type, field: "attrs.Attribute[Any]") -> Callable[[Any, Any], Any]:
        owner: Any = object.__new__(cls)  # Validators of one field ask it for its class at most.

        def hook(value: Any, kind: Any) -> Any:
            made = converter.structure(value, kind)
            if field.validator is not None:
                field.validator(owner, field, made)
            return made

        return hook

    def factory(cls: Any) -> Callable[[Any, Any], Any]:
        hooks: dict[str, Any] = {
            field.name: override(omit=True)
            if field.name in FUNCTIONS
            else override(struct_hook=checked(cls, field))
            for field in attrs.fields(cls)
        }
        build = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True, **hooks)

        def hook(value: Any, kind: Any) -> Any:
            if not isinstance(value, dict):
                raise BadInput("must be a table:", "", value)
            return build(value, kind)

        return hook

    return factory


def _is_tuple(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is tuple


def _tuple_of(converter: "Converter") -> Callable[[Any, Any], Any]:
    def hook(value: Any, kind: Any) -> Any:
        if not isinstance(value, list):
            raise BadInput("must be an array:", "", value, "write [value]")
        return tuple(converter.structure(value, list[kind.__args__[0]]))

    return hook


def _is_settings(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is Mapping


def _settings(value: Any, _: Any) -> Any:
    return validation.as_settings(value)


def _same(union: Any) -> Callable[[Any], bool]:
    def same(kind: Any) -> bool:
        return bool(kind == union)

    return same


def _one_of(converter: "Converter") -> Callable[[Any, Any], Any]:
    """Hooks for what is told apart by a word: a law, a kind of arrivals, keys or fault."""

    def hook(value: Any, union: Any) -> Any:
        words = {WORD_OF[cls]: cls for cls in union.__args__}
        label = "law" if union == laws.Delay else "kind"
        if not isinstance(value, dict):
            fix = f'such as {{ {label} = "{next(iter(words))}", ... }}'
            raise BadInput("must be a table:", "", value, fix)
        word = value.get(label)
        if word is None:
            raise BadInput(f"has no {label}", "", None, "known: " + ", ".join(words))
        if not isinstance(word, str) or word not in words:
            raise BadInput(f"is no {label}:", f".{label}", word, validation.near(str(word), words))
        rest = {name: one for name, one in value.items() if name != label}
        if label == "law":
            rest = _in_micros(rest, words[word])
        return converter.structure(rest, words[word])

    return hook


def _in_micros(table: dict[str, Any], cls: Any) -> dict[str, Any]:
    """A law's table with every time that is given in milliseconds as microseconds."""
    fields = [field.name for field in attrs.fields(cls)]
    made: dict[str, Any] = {}
    for name, value in table.items():
        in_us = name[:-2] + "us"
        if not (name.endswith("ms") and in_us in fields):
            made[name] = value
            continue
        if in_us in table:
            raise BadInput("is given twice:", f".{name}", value, f"leave it or {in_us}")
        several = isinstance(value, list)
        for one in value if several else [value]:
            if type(one) is not int or one < 0:
                fix = f"give parts of one as {in_us}"
                raise BadInput("must be whole milliseconds from 0:", f".{name}", one, fix)
        made[in_us] = [one * MICROS_PER_MS for one in value] if several else value * MICROS_PER_MS
    return made


def _work_item(value: Any, _: Any) -> workload.WorkItem:
    names = workload.WorkItem._fields
    if not isinstance(value, dict):
        raise BadInput("must be a table:", "", value, "with " + ", ".join(names))
    for name in value:
        if name not in names:
            raise BadInput("unknown field", "", name, validation.near(name, names))
    for name in names:
        if name not in value and name != "key":
            raise BadInput("lacks the field", "", name)
    return workload.WorkItem(**{"key": None, **value})
