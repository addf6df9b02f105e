"""`simulator replay`: one run again, from its seed or from its witness, and what it says."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.commands.options import place, whole
from simulator.commands.sandbox import find
from simulator.commands.terminal import print_text

if TYPE_CHECKING:
    from simulator.chance import Chooser
    from simulator.checks.verdict import Verdict
    from simulator.trace.trace import Trace


def describe(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("replay", help="one run again, from its seed or its witness")
    parser.add_argument("what", metavar="EXPERIMENT|FILE")
    parser.add_argument("--cell", default="", help="the levels: 'factor=level factor=level'")
    parser.add_argument("--seed", type=whole(0), default=1, help="default: 1")
    parser.add_argument(
        "--witness", help="answer chance by this line instead: 'site#k=value;...'; '' is no fault"
    )
    parser.add_argument(
        "--lenient", action="store_true", help="let pass what of the witness the run never met"
    )
    parser.add_argument("--trace", type=place, metavar="FILE", help="write the trace there")
    parser.add_argument(
        "--figure", type=place, metavar="FILE", help="draw the first broken case there, as SVG"
    )
    parser.set_defaults(execute=execute, takes_rest=True)


def execute(options: argparse.Namespace) -> int:
    """Run once, judge, and tell the story; the answer is the verdict's.

    Raises:
        WrongUsage: there is no such experiment, cell or witness.
        UnknownSite: the witness names a site that the run never met.
        ReplayDiverged: the witness is of another run.
        BadInput: a file cannot be written.
    """
    from simulator.checks.check import judge
    from simulator.commands.declared import as_usage, declared, labels_of
    from simulator.commands.judging import told
    from simulator.commands.scenario_file import declared_scenario
    from simulator.study.runs import as_checks
    from simulator.study.simulate import simulate

    path = find(options.what)
    is_scenario = path.suffix == ".toml"
    found = declared_scenario(path) if is_scenario else declared(path, options.rest)
    experiment = found.experiment
    cell = as_usage(experiment.cell, labels_of(options.cell, experiment.factors))
    scenario = experiment.scenario(cell.factors, options.seed)
    chooser = as_usage(chooser_of, options)
    trace = simulate(scenario, chooser)
    print_text(f"{experiment.name}, {cell}, {chooser.describe()}: digest {trace.digest()[:16]}")
    if options.trace is not None:
        from simulator.trace.codec import write_trace

        write_trace(trace, options.trace)
        print(f"written: {options.trace}")
    verdicts = judge(trace, as_checks(experiment.checks).values())
    if options.figure is not None:
        title = f"{experiment.name}, {chooser.describe()}"
        write_text(options.figure, drawn(trace, verdicts, str(cell), title))
        print(f"written: {options.figure}")
    return told(verdicts, trace)


def drawn(trace: "Trace", verdicts: "Iterable[Verdict]", name: str, title: str) -> str:
    """The first broken case as a space-time figure in SVG; if there is none, the whole run."""
    from simulator.checks.verdict import Status
    from simulator.report.figure import figure
    from simulator.report.spacetime import follow, spacetime

    judged = tuple(verdicts)
    broken = [verdict for verdict in judged if verdict.status is Status.BROKEN]
    case = next((one for verdict in broken for one in verdict.evidence), None)
    kept = all(verdict.status is Status.KEPT for verdict in judged)
    run, told = spacetime(trace), "every promise kept" if kept else "no promise broken"
    if case is not None:
        run, told = follow(run, *case.event_ids) if case.event_ids else run, case.sentence
    return figure([(name, told, run)], title=title)


def write_text(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        BadInput: it cannot be written.
    """
    from simulator.errors import BadInput

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", str(path)) from None


def chooser_of(options: argparse.Namespace) -> "Chooser":
    """Who answers for chance.

    Raises:
        BadInput: the witness cannot be read.
    """
    from simulator.chance import Replay, Seeded, parse_witness

    if options.witness is None:
        return Seeded(options.seed)
    witness = parse_witness(options.witness, "--witness")
    return Replay(witness, strict=not options.lenient)
