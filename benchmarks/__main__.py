"""The command: `python -m benchmarks`; the exit code is 1 if a target is missed by over 30 %."""

import argparse
import cProfile
import json
import platform
import pstats
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
    clusters,
    crash,
    event_sourcing,
    groups,
    histories,
    imports,
    kernel,
    logs,
    memory,
    properties,
    searching,
)
from benchmarks.measuring import SLACK, Case, Result, measure
from simulator.errors import SimulatorError

CASES: tuple[Case, ...] = (
    *kernel.CASES, *clusters.CASES, *crash.CASES, *groups.CASES, *logs.CASES, *memory.CASES,
    *imports.CASES, *histories.CASES, *searching.CASES, *properties.CASES, *event_sourcing.CASES,
)
PROFILED_LINES = 25


def line(result: Result) -> str:
    """One row of the table."""
    case = result.case
    bound = ("<= " if case.at_most else ">= ") + f"{case.target:g}"
    verdict = "ok" if result.is_met() else "short"
    spread = f"{min(result.values):.3g} .. {max(result.values):.3g}"
    return (
        f"{case.name:<18}{bound:>9}{result.value:>9.3g}  {verdict:<6}{spread:<19}{case.what}"
    )


def as_data(results: Sequence[Result]) -> dict[str, object]:
    """The results for a file: what was measured, where, and every round."""
    return {
        "format": 1,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        "cases": [
            {
                "name": result.case.name,
                "what": result.case.what,
                "target": result.case.target,
                "bound": "at most" if result.case.at_most else "at least",
                "value": result.value,
                "met": result.is_met(),
                "rounds": list(result.values),
            }
            for result in results
        ],
    }


def profile(case: Case) -> None:
    """Where the time of one case goes."""
    costs = case.prepare(1.0)
    costs.own()
    profiler = cProfile.Profile()
    profiler.enable()
    costs.own()
    profiler.disable()
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(PROFILED_LINES)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="How fast the simulator is, as ratios."
    )
    parser.add_argument("--rounds", type=int, default=9, help="how often (default 9)")
    parser.add_argument(
        "--only", metavar="NAME", action="append", choices=names, help=", ".join(names)
    )
    parser.add_argument("--profile", metavar="NAME", choices=names, help="profile one case")
    parser.add_argument("--strict", action="store_true", help="no slack of 30 %% in the exit code")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results here, too")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {options.rounds}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print as it goes."""
    options = parse(arguments)
    if options.profile:
        profile(next(case for case in CASES if case.name == options.profile))
        return 0
    print(f"{'case':<18}{'target':>9}{'value':>9}  {'':<6}{'least .. most':<19}what")
    results = []
    wrong = 0
    for case in CASES:
        if options.only and case.name not in options.only:
            continue
        try:
            results.append(measure(case, options.rounds))
        except SimulatorError as error:  # The others can still be measured.
            wrong += 1
            print(f"{case.name:<18}cannot be measured: {error}", flush=True)
        else:
            print(line(results[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(as_data(results), indent=2) + "\n", encoding="utf-8")
    slack = 0.0 if options.strict else SLACK
    return 0 if not wrong and all(result.is_met(slack) for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
