"""`simulator check FILE`: judge what a file says has happened.

A trace of our own is judged by what the run's guarantee had promised, if the file tells; else by
every check. A history of the form kafka-history/1, whoever recorded it, is judged by the anomalies
in it; those of a trace are looked for with --anomalies.
"""

import argparse
import json
from typing import TYPE_CHECKING, Any

from simulator.commands.options import place
from simulator.commands.outcome import WrongUsage

if TYPE_CHECKING:
    from simulator.histories.judging import Judgement
    from simulator.histories.options import Options
    from simulator.histories.reading import Recorded
    from simulator.trace.trace import Trace

FORMAT = "simulator-check/1"


def describe(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("check", help="judge a trace or a history from a file")
    parser.add_argument("trace", type=place, metavar="FILE", help="JSON, perhaps gzipped")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    of_traces = parser.add_argument_group("a trace of our own")
    of_traces.add_argument(
        "--promise", action="append", default=[], metavar="NAME", help="only this check, and others"
    )
    of_traces.add_argument(
        "--all", action="store_true", help="every check, not only what the run had promised"
    )
    of_traces.add_argument(
        "--anomalies", action="store_true", help="and the anomalies of its clients' history"
    )
    of_histories = parser.add_argument_group("the anomalies of a history")
    of_histories.add_argument(
        "--allow", action="append", default=[], metavar="NAME", help="this one breaks nothing"
    )
    of_histories.add_argument(
        "--order",
        choices=("realtime", "process"),
        help="what is in order: what ended before another began (default), or only what one "
        "process did",
    )
    of_histories.add_argument(
        "--steps", type=int, metavar="N", help="how long to search for cycles at most"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Read, judge, and tell; the answer is the verdict's.

    Raises:
        WrongUsage: there is no such check, or anomaly; or the file has no use for an option.
        BadInput: the file is neither a trace nor a history, or not whole.
    """
    from simulator.histories.reading import looks_like_history

    known = options.trace.is_file() and looks_like_history(options.trace)
    return _history(options) if known else _trace(options)


def _history(options: argparse.Namespace) -> int:
    from simulator.commands.anomalies import judgement_data, tell
    from simulator.commands.judging import CODES
    from simulator.histories.reading import FORMAT as HISTORY
    from simulator.histories.reading import read_history

    if options.promise or options.all:
        option = "--promise" if options.promise else "--all"
        raise WrongUsage(f"{option} is for traces, and this is a history", str(options.trace))
    _anomalies_known(options)
    judgement = _judged(read_history(options.trace), options)
    if options.json:
        _print(options, HISTORY, str(judgement.status), history=judgement_data(judgement, "ns"))
    else:
        tell(judgement)
    return CODES[judgement.status]


def _trace(options: argparse.Namespace) -> int:
    from simulator.checks.check import judge, made_sense_of
    from simulator.checks.verdict import combine
    from simulator.commands.anomalies import judgement_data, tell, verdict_data
    from simulator.commands.judging import CODES, told
    from simulator.trace.codec import FORMAT as TRACE
    from simulator.trace.codec import read_trace

    _anomalies_known(options)
    asked = _asked(options)
    trace = read_trace(options.trace)
    _anomalies_asked(options)
    where = str(options.trace)
    verdicts = judge(trace, asked or _promised(options, trace), where)
    judgement = None
    if options.anomalies:
        judgement = made_sense_of(where, "the history", _judged_trace, trace, options)
    parts = [*verdicts, *([judgement.verdict] if judgement else [])]
    if options.json:
        more = {"history": judgement_data(judgement, "us")} if judgement else {}
        promises = [verdict_data(verdict) for verdict in verdicts]
        _print(options, TRACE, str(combine(parts).status), promises=promises, **more)
    else:
        told(verdicts, trace, where)
        if judgement:
            made_sense_of(where, "the story", tell, judgement, trace)
    return CODES[combine(parts).status]


def _asked(options: argparse.Namespace) -> tuple[Any, ...]:
    from simulator.checks.catalogue import named
    from simulator.commands.declared import as_usage

    return as_usage(named, options.promise, "--promise")


def _promised(options: argparse.Namespace, trace: "Trace") -> tuple[Any, ...]:
    """The checks that the trace's run had promised, or all."""
    from simulator.checks.catalogue import CHECKS, named

    promised = trace.meta.get("promises")
    if not options.all and isinstance(promised, list):
        found = named((name for name in promised if name in CHECKS), str(options.trace))
        return found or tuple(CHECKS.values())
    return tuple(CHECKS.values())


def _anomalies_known(options: argparse.Namespace) -> None:
    from simulator.commands.declared import as_usage
    from simulator.histories.judging import known

    as_usage(known, tuple(options.allow), "--allow")
    if options.steps is not None and options.steps < 0:
        raise WrongUsage("--steps must be at least 0, not", value=options.steps)


def _anomalies_asked(options: argparse.Namespace) -> None:
    """What is said of anomalies is said in vain where a trace's are not looked for."""
    if options.anomalies:
        return
    for option in ("allow", "order", "steps"):
        if getattr(options, option) not in (None, []):
            fix = "give --anomalies as well"
            raise WrongUsage(f"--{option} is about anomalies, and this is a trace",
                             str(options.trace), fix=fix)


def _judged(recorded: "Recorded", options: argparse.Namespace) -> "Judgement":
    from simulator.histories.judging import judge_operations

    return judge_operations(recorded.operations, _as_wanted(recorded.options, options))


def _judged_trace(trace: "Trace", options: argparse.Namespace) -> "Judgement":
    from simulator.histories.tracing import history_of_trace

    return _judged(history_of_trace(trace), options)


def _as_wanted(found: "Options", options: argparse.Namespace) -> "Options":
    import attrs

    given = {"steps_most": options.steps, "order": options.order}
    more: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return attrs.evolve(found, allow=(*found.allow, *options.allow), **more)


def _print(options: argparse.Namespace, kind: str, verdict: str, **parts: Any) -> None:
    head = {"format": FORMAT, "file": str(options.trace), "kind": kind, "verdict": verdict}
    print(json.dumps({**head, **parts}, indent=2))
