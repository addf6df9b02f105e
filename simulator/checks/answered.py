"""Did the producer hear of every record? Liveness on the sending side.

answered_at_last  every record that was handed over was acknowledged, or refused

A broker's refusal is an answer, too: the record was too large, its producer is fenced. What was
given up because time or retries ran out was not answered.

Not modelled: records whose producer's node has crashed since: nobody waits for them any more.
"""

from simulator.checks.check import Check, Watching
from simulator.checks.ending import Ending
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry

UNANSWERED = ("REQUEST_TIMED_OUT", "NETWORK_EXCEPTION")

def _answered_at_last() -> Watching:
    ending = Ending()
    waiting: dict[str, FlatEntry] = {}  # event -> its sending, until it is answered
    given_up: dict[str, FlatEntry] = {}
    sent = 0

    def on_sent(entry: FlatEntry) -> None:
        nonlocal sent
        sent += 1
        waiting[entry[4][1]] = entry
        given_up.pop(entry[4][1], None)  # The application tries again.

    def on_acknowledged(entry: FlatEntry) -> None:
        waiting.pop(entry[4][1], None)
        given_up.pop(entry[4][1], None)

    def on_failed(entry: FlatEntry) -> None:
        _, event_id, _, error, _ = entry[4]
        if error in UNANSWERED:
            given_up[event_id] = entry
        else:
            waiting.pop(event_id, None)

    def on_crashed(entry: FlatEntry) -> None:
        gone = [event_id for event_id, one in waiting.items() if one[2] == entry[2]]
        for event_id in gone:
            del waiting[event_id]

    def finish() -> Verdict:
        # What was given up will not come back: that is certain, though what is only waited for
        # still may, and is no case then.
        cases, certain = Cases(), any(event_id in given_up for event_id in waiting)
        for event_id, entry in waiting.items():
            failed = given_up.get(event_id)
            if failed is not None:
                said = f"{event_id} was handed over and given up ({failed[4][3]})"
                cases.add(said, (entry[0], failed[0]), (event_id,))
            elif not (certain and ending.open_because):
                said = f"{event_id} was handed over and never answered"
                cases.add(said, (entry[0],), (event_id,))
        open_because = "" if certain else ending.open_because
        return cases.verdict("answered_at_last", sent, open_because=open_because)

    observers = {
        "record_sent": on_sent,
        "record_acknowledged": on_acknowledged,
        "record_failed": on_failed,
        "node_crashed": on_crashed,
        **ending.observers(),
    }
    return Watching(observers, finish)


answered_at_last = Check(
    "answered_at_last",
    "Every record that was handed over is acknowledged in the end, or refused.",
    _answered_at_last,
)
