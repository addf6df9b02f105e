"""What the report of a failing test says of its run: story, witness, replay, and two files.

Not told: of a test that raises several errors at once, any but the first that carries a run.
"""

import hashlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import SimulatorError
from simulator.testing.broken import PromiseBroken

if TYPE_CHECKING:
    from simulator.testing.simulation import Simulation
    from simulator.trace.trace import Trace

NAME_MOST = 100
DIGITS = 8
LAST = 12  # Entries that are told of a run in which no promise was broken.


def section(
    nodeid: str,
    error: BaseException,
    simulation: "Simulation | None",
    files: Path | None,
    asked: str = "",
) -> str:
    """The lines of the report; nothing, if the test has no run to tell of.

    Args:
        asked: what pytest is given to run the test; by default the nodeid.
        files: the folder to write to.
    """
    broken = next(_broken(error), None)
    if broken is not None:
        witness, trace, event_ids = broken.witness, broken.trace, broken.event_ids
        story, by_witness = "", broken.by_witness  # The story stands in the error's own text.
        question = broken.question
    elif simulation is not None and (simulation.trace is not None or simulation.raised):
        witness, trace, by_witness = simulation.witness, simulation.trace, True
        question = simulation.question
        story, event_ids = ("", ()) if trace is None else _story(trace)
    else:
        return ""
    lines = [story] if story else []
    if witness is not None:
        lines.append(f"witness: {witness or '(nothing by chance)'}")
    if witness is not None and by_witness and question:
        test = shlex.quote(asked or nodeid)
        told = witness if question == 1 else f"{question}: {witness}"
        lines.append(f"replay:  pytest {test} --witness {shlex.quote(told)}")
    if trace is not None and trace.kept and files is not None:
        lines += _written(trace, event_ids, files / _name(nodeid), nodeid)
    return "\n".join(lines)


def _broken(error: BaseException) -> Iterator[PromiseBroken]:
    """The broken promises in an error, and in those that it groups or follows from."""
    if isinstance(error, PromiseBroken):
        yield error
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _broken(one)
    elif error.__cause__ is not None:
        yield from _broken(error.__cause__)


def _story(trace: "Trace") -> tuple[str, tuple[str, ...]]:
    """Of the first promise of its guarantee that is broken, or how the run ended."""
    from simulator.checks.catalogue import CHECKS
    from simulator.checks.sentences import timed
    from simulator.checks.verdict import Status

    for name in trace.meta.get("promises", ()):
        verdict = CHECKS[name](trace)
        if verdict.status is Status.BROKEN:
            ids = verdict.evidence[0].event_ids if verdict.evidence else ()
            return verdict.explain(trace), ids
    quiet = ("message_sent", "message_delivered")
    last = [entry for entry in trace.flat if entry[4][0] not in quiet][-LAST:]
    return "\n".join(["The run ended so:", *(f"  {timed(entry)}" for entry in last)]), ()


def _name(nodeid: str) -> str:
    """A folder's name: the test's, in letters that every system allows, and no other test's."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", nodeid).strip("-")
    if len(name) <= NAME_MOST and name == re.sub(r"::|[/\[]", "-", nodeid.removesuffix("]")):
        return name
    told_apart = hashlib.sha256(nodeid.encode()).hexdigest()[:DIGITS]  # `[<]` and `[>]`, say.
    return f"{name[DIGITS - NAME_MOST:]}-{told_apart}"


def _written(
    trace: "Trace", event_ids: tuple[str, ...], folder: Path, title: str
) -> list[str]:
    """Write the trace and its picture; a line for each."""
    from simulator.report.figure import figure
    from simulator.report.spacetime import follow, spacetime
    from simulator.trace.codec import write_trace

    lines = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "trace.jsonl"
        write_trace(trace, path)
        lines.append(f"trace:   {path}")
        run = spacetime(trace)
        rows = follow(run, *event_ids) if event_ids else run
        picture = folder / "picture.svg"
        picture.write_text(figure([("", "", rows)], title=title), encoding="utf-8")
        lines.append(f"picture: {picture}")
    except (OSError, SimulatorError) as failed:  # A report is not to fail for want of a file.
        lines.append(f"(not written: {failed})")
    return lines
