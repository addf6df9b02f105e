"""What of transactions belongs to a case: the ends that were asked for, and those written.

A producer's asking is told if the case's events are among its records; a marker, if it ends a
batch in which they lie.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulator.checks.sentences import at, sentence
from simulator.trace.trace import FlatEntry

if TYPE_CHECKING:
    from simulator.checks.telling import _Teller

Rule = Callable[["_Teller", FlatEntry], "str | None"]


def _ending(teller: "_Teller", entry: FlatEntry) -> str:
    """Who asks, for what, and what became of it."""
    _, whose, result, event_ids, _ = entry[4]
    ours = teller.case.ours(event_ids)
    if not ours or entry[0] > teller.case.last:
        return ""
    teller.nodes.add(entry[2])
    said = f"{entry[2]} asks for the {result} of its transaction with {teller.it(*ours)}"
    answer = next(
        (
            one[4] for one in teller.case.entries
            if one[0] > entry[0] and one[2] == entry[2]
            and one[4][0] == "transaction_ended" and one[4][1] == whose
        ),
        None,
    )  # fmt: skip
    if answer is None:
        return f"{said}; learns nothing of it"
    return said if answer[3] == "done" else f"{said}: {answer[3]} ({answer[4]})"


def _failed(teller: "_Teller", entry: FlatEntry) -> str:
    if entry[2] in teller.case.workers and teller.case.inside(entry):
        return sentence(entry)
    return ""


def _marker(teller: "_Teller", entry: FlatEntry) -> str:
    """Told where it ends a batch of the case's events."""
    _, topic, partition, offset, producer_id, _, result = entry[4]
    own = teller.case.of("batch_appended")
    ended = [
        one for one in own
        if one[0] < entry[0] and one[4][1:3] == (topic, partition) and one[4][5] == producer_id
    ]  # fmt: skip
    if not ended or entry[0] > teller.case.last:
        return ""
    ours = teller.case.ours(ended[-1][4][4])
    return f"{entry[2]} writes the {result} of {teller.it(*ours)} at {at(topic, partition, offset)}"


def _transformed(teller: "_Teller", entry: FlatEntry) -> str:
    """Its sending says as much, unless it is called otherwise by then."""
    _, _, _, _, _, event_id, _, outputs = entry[4]
    if outputs == (event_id,) or event_id not in teller.case.wanted:
        return ""
    return sentence(entry) if teller.case.inside(entry) else ""


RULES: dict[str, Rule] = {
    "transaction_ending": _ending,
    "transaction_failed": _failed,
    "transaction_marker_written": _marker,
    "record_transformed": _transformed,
}
