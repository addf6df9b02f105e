"""What is said when a promise is not kept: the story, how to have it again, and the smallest one.

Inside a property, the smallest counterexample is looked for once: when Hypothesis tells of the
failure, after it has made the example small by its own means.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from hypothesis import currently_in_test_context, note

from simulator.chance import format_witness
from simulator.checks.check import Check
from simulator.checks.verdict import Status
from simulator.errors import SimulatorError
from simulator.scenario.faults import Fault
from simulator.scenario.scenario import Scenario
from simulator.testing.broken import PromiseBroken
from simulator.trace.trace import Trace

Witness = Mapping[tuple[str, int], int]


def expect(
    trace: Trace,
    checks: Sequence[Check],
    *,
    witness: Witness,
    replay: Callable[[], str],
    scenario: Scenario | None = None,
    added: Iterable[Fault] = (),
) -> None:
    """Every promise is kept.

    Args:
        replay: how to have the run again, in lines; asked only if it is told.
        scenario: of which the smallest counterexample is looked for; None: of none.
        added: those of its faults that were drawn for the run.

    Raises:
        PromiseBroken: one is broken, or cannot be told, with the story of it.
    """
    __tracebackhide__ = True
    failed = [
        (check, verdict)
        for check in checks
        if (verdict := check(trace)).status is not Status.KEPT
    ]
    if not failed:
        return
    if scenario is not None and currently_in_test_context():
        for check, verdict in failed:
            if verdict.status is Status.BROKEN:
                note(_Finished(scenario, witness, check, added))
                break
    stories = "\n".join(verdict.explain(trace) for _, verdict in failed)
    ids = tuple(
        dict.fromkeys(one for _, verdict in failed for e in verdict.evidence for one in e.event_ids)
    )
    raise PromiseBroken(
        f"{stories}\n{replay()}", witness=format_witness(witness), trace=trace, event_ids=ids,
        by_witness=False,
    )  # fmt: skip


class _Finished:
    """What Hypothesis prints beside the example; looked for only if it does."""

    def __init__(
        self, scenario: Scenario, witness: Witness, check: Check, added: Iterable[Fault]
    ) -> None:
        self._asked = scenario, witness, check, added

    def __repr__(self) -> str:
        return finish(*self._asked)


def finish(
    scenario: Scenario, witness: Witness, check: Check, added: Iterable[Fault] = ()
) -> str:
    """The certified smallest counterexample, in a few lines.

    Args:
        scenario: with the faults of the run that broke the check.
        witness: what chance did in that run.
        added: those of the faults that were drawn for it; all others are the scenario's own.
    """
    from simulator.searching.finishing import finish as finishing

    try:
        return str(finishing(scenario, check, witness, added=added))
    except SimulatorError as error:  # The failure is told all the same.
        return f"The smallest counterexample could not be found: {error}"


__all__ = ["expect", "finish"]
