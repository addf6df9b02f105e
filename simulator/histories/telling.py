"""A case in words: which operations, which key, which values, and what is wrong with them.

Operations are named by their index in the history; of a trace, by the seq of its entry.
"""

from collections.abc import Callable
from typing import Any

_VALUES_MOST = 5

Case = dict[str, Any]


def sentence(name: str, case: Case) -> str:
    """A case of an anomaly as a sentence."""
    return _TELL[name](case)


def operations_of(case: Case) -> tuple[int, ...]:
    """The operations that a case names, each once, in order of their index."""
    found: dict[int, bool] = {}
    for part in ("op", "writer", "reader", "max-read"):
        if part in case:
            found[case[part]] = True
    for part in ("ops", "cycle", "scc"):
        found.update(dict.fromkeys(case.get(part, ()), True))
    return tuple(sorted(found))


def _listed(values: Any, many: int | None = None) -> str:
    shown = ", ".join(repr(value) for value in values[:_VALUES_MOST])
    more = (len(values) if many is None else many) - _VALUES_MOST
    return f"{shown} and {more} more" if more > 0 else shown


def _operations(indexes: list[int]) -> str:
    return f"operation{'s' * (len(indexes) > 1)} {_listed(indexes)}"


def _inconsistent(case: Case) -> str:
    said = f"{case['key']}@{case['offset']} holds {_listed(case['values'])}"
    return f"{said}, by the word of {_operations(case['ops'])}"


def _duplicate(case: Case) -> str:
    said = f"{case['value']!r} lies in {case['key']} at offsets {_listed(case['offsets'])}"
    return f"{said}, by the word of {_operations(case['ops'])}"


def _lost(case: Case) -> str:
    return (
        f"{case['value']!r}, which operation {case['writer']} sent to {case['key']}, was given to "
        f"nobody, though operation {case['max-read']} was given what lies beyond it (index "
        f"{case['index']} of the log, read up to {case['max-read-index']})"
    )


def _unseen(case: Case) -> str:
    listed = _listed(case["messages"], case["unseen"])
    by = f"sent by {_operations(list(dict.fromkeys(case['ops'])))}"
    return f"{case['key']}: {case['unseen']} acknowledged and given to nobody: {listed}, {by}"


def _aborted(case: Case) -> str:
    return (
        f"operation {case['reader']} was given {case['value']!r} of {case['key']}, which operation "
        f"{case['writer']} sent, and failed"
    )


def _precommitted(case: Case) -> str:
    return f"operation {case['op']} was given {case['value']!r} of {case['key']}, sent by itself"


def _phantom(case: Case) -> str:
    return f"operation {case['op']} was given {case['value']!r} of {case['key']}: nobody sent it"


def _inner(case: Case, verb: str) -> str:
    one, other = case["values"]
    return f"operation {case['op']} {verb} {one!r} and then {other!r} of {case['key']}"


def _outer(case: Case, verb: str) -> str:
    one, other = case["values"]
    before, after = case["ops"]
    return (
        f"operation {after} {verb} {other!r} of {case['key']}, after operation {before} of the "
        f"same process had ended with {one!r}"
    )


def _over(case: Case) -> str:
    return f", over {_listed(case['skipped'], case['delta'] - 1)}"


def _back(case: Case) -> str:
    places = -case["delta"]
    return ", once more" if not places else f", {places} place{'s' * (places > 1)} back"


def _cycle(case: Case) -> str:
    said = []
    for source, target, step in zip(
        case["cycle"], case["cycle"][1:], case["steps"], strict=False
    ):
        match step["type"]:
            case "wr":
                how = f"whose {step['value']!r} of {step['key']} was given to"
            case "ww":
                how = f"whose {step['value']!r} of {step['key']} was followed by that of"
            case "process":
                how = "which its process ended before"
            case _:
                how = "which had ended before"
        said.append(f"{source}, {how} {target}")
    short = "" if case["shortest"] else " (there may be a shorter circle)"
    return "operation " + "; operation ".join(said) + short


def _component(case: Case) -> str:
    return f"{case['size']} operations depend on each other: {_listed(case['scc'], case['size'])}"


_TELL: dict[str, Callable[[Case], str]] = {
    "inconsistent-offsets": _inconsistent,
    "duplicate": _duplicate,
    "lost-write": _lost,
    "unseen": _unseen,
    "G1a": _aborted,
    "G1a-unconfirmed": _aborted,
    "precommitted-read": _precommitted,
    "phantom": _phantom,
    "int-poll-skip": lambda case: _inner(case, "was given") + _over(case),
    "int-nonmonotonic-poll": lambda case: _inner(case, "was given") + _back(case),
    "poll-skip": lambda case: _outer(case, "began with") + _over(case),
    "nonmonotonic-poll": lambda case: _outer(case, "began with") + _back(case),
    "int-send-skip": lambda case: _inner(case, "sent") + _over(case),
    "int-nonmonotonic-send": lambda case: _inner(case, "sent") + _back(case),
    "nonmonotonic-send": lambda case: _outer(case, "sent") + _back(case),
    "empty-transaction-graph": lambda case: (
        f"of {case['operations']} operations none depends on another"
    ),
    **dict.fromkeys(
        ("G0", "G1c", "G0-process", "G1c-process", "G0-realtime", "G1c-realtime"), _cycle
    ),
    **dict.fromkeys(
        (
            "PL-1-cycle-exists",
            "PL-2-cycle-exists",
            "strong-session-PL-1-cycle-exists",
            "strong-session-PL-2-cycle-exists",
            "strong-PL-1-cycle-exists",
            "strong-PL-2-cycle-exists",
        ),
        _component,
    ),
}
