"""What a history shows, told at the command line: for people, and for machines."""

from typing import TYPE_CHECKING, Any

from simulator.commands.terminal import print_text

if TYPE_CHECKING:
    from simulator.checks.verdict import Verdict
    from simulator.histories.judging import Judgement
    from simulator.trace.trace import Trace


def tell(judgement: "Judgement", trace: "Trace | None" = None) -> None:
    """Print what was found, broken things first, and what it comes to."""
    from simulator.checks.verdict import Status
    from simulator.histories.telling import sentence

    verdicts = judgement.verdicts()
    for verdict in verdicts:
        if verdict.status is not Status.KEPT:
            print_text(verdict.explain(trace))
    for name in judgement.met:
        if name in judgement.allowed:
            found = judgement.findings[name]
            print_text(f"{name}: allowed here, met {_times(found.count)}")
            print_text(f"  - {sentence(name, found.shown[0])}")
    lag = judgement.measures.get("worst-realtime-lag")
    if lag and lag["lag"]:
        unit = "ns" if trace is None else "us"
        print_text(f"worst realtime lag: {lag['lag']} {unit}, of {lag['process']} on {lag['key']}")
    print_text(f"history: {judgement.status}: {_summary(judgement)}")


def _summary(judgement: "Judgement") -> str:
    bad, many = len(judgement.bad), len(judgement.findings)
    said = f"{bad} of {many} anomalies" if bad else f"none of {many} anomalies"
    return f"{said} in {judgement.operations} operations"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def judgement_data(judgement: "Judgement", unit: str) -> dict[str, Any]:
    """All of a judgement, for JSON; `unit` is that of its times."""
    return {
        "verdict": str(judgement.status),
        "operations": judgement.operations,
        "bad": list(judgement.bad),
        "allowed": [name for name in judgement.met if name in judgement.allowed],
        "cannot_tell": dict(judgement.undecided),
        "anomalies": {
            name: {
                "bad": name in judgement.bad,
                "cases": judgement.findings[name].count,
                "shown": judgement.findings[name].shown,
            }
            for name in judgement.met
        },
        "time_unit": unit,
        "measures": dict(judgement.measures),
    }


def verdict_data(verdict: "Verdict") -> dict[str, Any]:
    """What a check of a trace says, for JSON."""
    return {
        "check": verdict.check,
        "verdict": str(verdict.status),
        "cases": verdict.cases,
        "reached": verdict.reached,
        "why": verdict.why,
        "evidence": [
            {
                "sentence": one.sentence,
                "entries": list(one.entries),
                "event_ids": list(one.event_ids),
            }
            for one in verdict.evidence
        ],
    }
