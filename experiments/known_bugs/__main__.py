"""`python -m experiments.known_bugs [ROW ...]`: search rows, and tell what was found.

With --faults or --witness one row's run is had again, and its story told; with --fix, the same
faults and chance where that fix is.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext

import attrs

from experiments.known_bugs.known_bug import KnownBug
from experiments.known_bugs.searching import searched
from experiments.known_bugs.table import ROWS
from experiments.known_bugs.telling import COMMAND, faults_of, told
from simulator import BadInput, Replay, Scenario, Status, parse_witness, simulate

NOT_AS_IT_SHOULD, WRONG_USAGE = 1, 2


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words say; 0 if every row stands, or if a replayed check is broken."""
    options = _parser().parse_args(words)
    try:
        rows = [_row(name) for name in options.rows] or list(ROWS.values())
        if options.faults is not None or options.witness is not None:
            return _replay(rows, options)
    except BadInput as error:
        print(error, file=sys.stderr)
        return WRONG_USAGE
    fallen = []
    for row in rows:
        outcome = searched(row)
        print("\n".join(told(outcome)) + "\n", flush=True)
        if not outcome.stands:
            fallen.append(row.name)
    print(f"{len(rows) - len(fallen)} of {len(rows)} rows stand", *fallen)
    return NOT_AS_IT_SHOULD if fallen else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="P01, R04, ...; by default all")
    parser.add_argument("--faults", help="replay under these: \"Drop('a', 'b', 'X', nth=1)\"")
    parser.add_argument("--witness", help="replay this chance: 'site#k=value;...'")
    parser.add_argument("--fix", metavar="NUMBER", type=int, help="replay on a fix, from 1")
    return parser


def _row(name: str) -> KnownBug:
    if name not in ROWS:
        raise BadInput("there is no row", COMMAND, name, "known: " + ", ".join(ROWS))
    return ROWS[name]


def _replay(rows: list[KnownBug], options: argparse.Namespace) -> int:
    """Have one run again; without --fix its check should be broken, and with it kept."""
    if len(rows) != 1:
        raise BadInput("replays one row at a time, not", COMMAND, len(rows), "name one")
    (bug,) = rows
    plan = faults_of(options.faults or "")
    witness = parse_witness(options.witness or "", "--witness")
    label, scenario = _chosen(bug, options.fix)
    chosen = attrs.evolve(scenario, faults=plan)
    chooser = Replay(witness, strict=options.fix is None)
    with bug.slipped() if options.fix is None else nullcontext():
        trace = simulate(chosen, chooser)
    verdict = (bug.sought if options.fix is None else bug.promised)(trace)
    print(f"{bug.name}, {label}: {verdict.explain(trace)}")
    wanted = Status.BROKEN if options.fix is None else Status.KEPT
    return 0 if verdict.status is wanted else NOT_AS_IT_SHOULD


def _chosen(bug: KnownBug, number: int | None) -> tuple[str, Scenario]:
    if number is None:
        return "broken", bug.broken
    fixes = list(bug.mended.items())
    if not 1 <= number <= len(fixes):
        raise BadInput(f"{bug.name} has {len(fixes)} fixes, and no number", "--fix", number)
    return fixes[number - 1]


if __name__ == "__main__":
    raise SystemExit(main())
