"""A row as text: for the terminal and for the page, with its faults as a command's words."""

import ast
from collections.abc import Iterable
from typing import Any

import attrs

from experiments.known_bugs.known_bug import KnownBug
from experiments.known_bugs.searching import Mended, Outcome
from simulator import (
    BadInput,
    Clog,
    Crash,
    Delay,
    DiskLoss,
    Drop,
    Duplicate,
    FaultPlan,
    Partition,
    Pause,
    Skew,
    format_witness,
)
from simulator.testing import Run

COMMAND = "python -m experiments.known_bugs"
FAULTS = {
    kind.__name__: kind
    for kind in (Clog, Crash, Delay, DiskLoss, Drop, Duplicate, Partition, Pause, Skew)
}
PAGE = """\
<!-- Written by docs/generate.py from what the searches found: change the rows there. -->

# Known bugs

Failures that Kafka, and systems that speak its protocol, really had: each is a scenario in
`experiments/known_bugs`, is found by search within a budget of runs, is named by a check, and is
gone with its fix under the same search. What is shown is the smallest run that was found.

`python -m experiments.known_bugs` repeats all of it, and `python -m experiments.known_bugs P01`
one row; either takes as many runs as stand here, on any machine.

"""
HEAD = """\
| row | what is wrong | anomaly | found in run | of | gone with |
|---|---|---|--:|--:|---|
"""


# --- Faults as words --------------------------------------------------------------------------


def faults_text(faults: Iterable[Any]) -> str:
    """Faults as Python, without what goes without saying; `faults_of` reads it again."""
    return ", ".join(_fault_text(fault) for fault in faults)


def _fault_text(fault: Any) -> str:
    told = []
    for field in attrs.fields(type(fault)):
        value = getattr(fault, field.name)
        if field.default is attrs.NOTHING:
            told.append(repr(value))
        elif value != field.default:
            told.append(f"{field.name}={value!r}")
    return f"{type(fault).__name__}({', '.join(told)})"


def faults_of(text: str) -> FaultPlan:
    """The plan that such a text means.

    Raises:
        BadInput: it is not a list of faults.
    """
    try:
        listed = ast.parse(f"({text},)" if text else "()", mode="eval").body
        assert isinstance(listed, ast.Tuple)
        return FaultPlan(tuple(_fault(call) for call in listed.elts))
    except (SyntaxError, KeyError, ValueError, AssertionError, TypeError) as error:
        fix = "such as \"Drop('broker-0', 'orders-producer', 'ProduceResponse')\""
        raise BadInput("is no list of faults:", "--faults", text, fix) from error


def _fault(call: ast.expr) -> Any:
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    values = [ast.literal_eval(one) for one in call.args]
    named = {one.arg or "": ast.literal_eval(one.value) for one in call.keywords}
    return FAULTS[call.func.id](*values, **named)


# --- A row ------------------------------------------------------------------------------------


def replay_command(bug: KnownBug, run: Run) -> str:
    """The command that has this run again."""
    words = [COMMAND, bug.name, f'--faults "{faults_text(run.scenario.faults)}"']
    if run.witness:
        words.append(f"--witness '{format_witness(run.witness)}'")
    return " ".join(words)


def told(outcome: Outcome) -> list[str]:
    """A row's outcome, line by line."""
    bug, found = outcome.bug, outcome.found
    lines = [
        f"{bug.name}  {bug.title}",
        f"  {bug.source}",
        f"  searched: {bug.faults}; {bug.budget} runs at most",
    ]
    if found is None:
        return [*lines, f"  NOT FOUND in {bug.budget} runs"]
    lines += [
        f"  found in run {found.runs}, made small in {found.shrinking} more",
        f"  {found.verdict}",
        *(f"    - {one.sentence}" for one in found.verdict.evidence[:3]),
        f"  smallest: {_smallest(found.run)}",
        f"  replay: {replay_command(bug, found.run)}",
    ]
    return lines + [f"  {_mended(one, bug.budget)}" for one in outcome.mended]


def _smallest(run: Run) -> str:
    faults = faults_text(run.scenario.faults) or "no fault"
    witness = format_witness(run.witness)
    return f"{faults}; by chance {witness}" if witness else faults


def _mended(mended: Mended, budget: int) -> str:
    if mended.holds:
        return f"gone with {mended.label}: {budget} runs, and the smallest one again"
    if mended.found is not None:
        return f"NOT GONE with {mended.label}: broken in run {mended.found.runs}"
    return f"NOT SHOWN with {mended.label}: replayed, {mended.replayed}, {mended.reached} examined"


# --- The page ---------------------------------------------------------------------------------


def page(outcomes: Iterable[Outcome]) -> str:
    """docs/known_bugs.md."""
    all_of_them = list(outcomes)
    rows = "".join(_row(outcome) for outcome in all_of_them)
    return PAGE + HEAD + rows + "".join(_section(outcome) for outcome in all_of_them)


def _row(outcome: Outcome) -> str:
    bug, found = outcome.bug, outcome.found
    runs = "never" if found is None else str(found.runs)
    cells = (bug.name, bug.title, f"`{bug.anomaly}`", runs, str(bug.budget),
             "; ".join(bug.mended))
    return f"| {' | '.join(cells)} |\n"


def _section(outcome: Outcome) -> str:
    bug, found = outcome.bug, outcome.found
    lines = [f"\n## {bug.name}: {bug.title}\n", bug.story + "\n", f"Source: {bug.source}.\n"]
    lines += [f"Searched among: {bug.faults}.\n"]
    if found is not None:
        lines += [
            f"Smallest run: `{_smallest(found.run)}`\n",
            f"> {found.verdict.evidence[0].sentence}\n",
            "```text",
            replay_command(bug, found.run),
            "```",
        ]
    return "\n".join(lines) + "\n"
