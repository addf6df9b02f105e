"""`simulator run`: an experiment, or one scenario under many seeds: did all come out as declared?

Results are printed, and written to a file that is the same for the same runs.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.commands.options import RUNS_MOST, WORKERS_MOST, place, whole
from simulator.commands.outcome import WrongUsage
from simulator.commands.sandbox import find
from simulator.errors import BadInput

if TYPE_CHECKING:
    from simulator.commands.declared import Declared
    from simulator.report.findings import Replay
    from simulator.study.experiment import Experiment
    from simulator.study.results import CellResult, PromiseOutcome, Results

ABOUT = """\
An experiment is named, or given by the path of its .py file; a scenario by that of a .toml file.
Options that this command does not know go to the experiment: `--events FILE`, say.
"""


def describe(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("run", help="run an experiment, or one scenario", epilog=ABOUT)
    parser.add_argument("what", metavar="EXPERIMENT|FILE")
    parser.add_argument(
        "--runs",
        type=whole(most=RUNS_MOST),
        help=f"runs of each cell, at most {RUNS_MOST}; default: as declared",
    )
    parser.add_argument(
        "--first-seed", type=whole(0), metavar="N", help="the first of the seeds"
    )
    parser.add_argument(
        "--workers", type=whole(most=WORKERS_MOST), help="processes; default: one a processor"
    )
    parser.add_argument(
        "--out", type=place, metavar="DIR", help="where results go; default: results/NAME"
    )
    parser.set_defaults(execute=execute, takes_rest=True)


def execute(options: argparse.Namespace) -> int:
    """Run, print what came out, and write it down; the answer is the results' exit code.

    Raises:
        WrongUsage: there is no such experiment, or it has no such option.
        BadInput: a file cannot be used.
    """
    import attrs

    from simulator.commands.declared import declared
    from simulator.commands.scenario_file import declared_scenario
    from simulator.study.progress import shown_progress
    from simulator.study.replicate import replicate
    from simulator.study.runs import observed_run

    path = find(options.what)
    is_scenario = path.suffix == ".toml"
    if is_scenario and options.rest:
        raise WrongUsage("a scenario has no options of its own, not", "", " ".join(options.rest))
    found = declared_scenario(path) if is_scenario else declared(path, options.rest)
    changes: dict[str, Any] = {}
    if options.runs is not None:
        changes.update(runs=options.runs, stopping=None)
    if options.first_seed is not None:
        changes.update(first_seed=options.first_seed)
    experiment = attrs.evolve(found.experiment, **changes)
    folder = options.out or Path("results") / experiment.name
    _refuse_no_folder(folder)
    _refuse_mistakes(experiment)
    with shown_progress(experiment.name) as progress:
        results = replicate(
            experiment,
            observed_run,
            reference=found.reference,
            workers=options.workers,
            progress=progress,
        )
    _tell(found, results, folder, options)
    return results.exit_code


def _refuse_no_folder(folder: Path) -> None:
    """Before a study that may take hours: are its results to lie where no folder can be?

    Raises:
        BadInput: there is a file, or a folder in which we may not write.
    """
    try:
        there = next(one for one in (folder, *folder.parents) if one.exists())
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", str(folder)) from None
    fix = "give another folder with --out"
    if not there.is_dir():
        raise BadInput("cannot be written: there is a file called", str(folder), str(there), fix)
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadInput("cannot be written: no right to write in", str(folder), str(there), fix)


def _refuse_mistakes(experiment: "Experiment") -> None:
    """Look at every cell's scenario before any runs; what else fails, fails as a run.

    Raises:
        BadInput: a scenario asks for what is not there, or has a setting that is not allowed.
    """
    from simulator.study.simulate import refuse_what_cannot_run

    for cell in experiment.cells():
        try:
            refuse_what_cannot_run(experiment.scenario(cell.factors, experiment.first_seed))
        except BadInput:
            raise
        except Exception:  # noqa: BLE001, S110 - the run tells it, with its cell and its seed
            pass


def _tell(
    found: "Declared", results: "Results", folder: Path, options: argparse.Namespace
) -> None:
    from simulator.report.findings import findings
    from simulator.study.results import write_results, write_whole

    def replay(cell: "CellResult", promise: "PromiseOutcome") -> str:
        words = ["simulator", "replay", options.what, *options.rest]
        if cell.labels:
            words += ["--cell", str(cell)]
        return shlex.join([*words, "--seed", str(promise.first_broken_seed)])

    _show(results, replay)
    written = [folder / "results.json", folder / "findings.txt"]
    write_results(results, written[0])
    write_whole(findings(results, replay=replay), written[1])
    if found.illustrate is not None and not results.partial:
        written += found.illustrate(results, folder)
    print("written:", ", ".join(str(path) for path in written))


def _show(results: "Results", replay: "Replay") -> None:
    """What a person wants to see at once: comparisons that could not be told stand in the file."""
    from simulator.commands.terminal import print_text
    from simulator.report import findings
    from simulator.report.table import show

    tables = list(findings.estimates_tables(results))
    if results.comparisons:
        tables.append(findings.comparisons_table(results, decided_only=True))
    tables.append(findings.promises_table(results))
    print(results.question)
    for table in tables:
        print()
        show(table, sys.stdout)
    for line in ("", *findings.replay_lines(results, replay), "", *results.notes):
        print(line)
    print_text(findings.summary(results))
