"""A promise about transactions: what was aborted has never happened, so nobody may be given it.

`aborted_is_never_read` of the library asks for more (that nobody is given what is open still); here
only what was aborted in the end counts, which is a ghost wherever it is applied.
"""

from typing import Any

from simulator import Cases, Check, Verdict, Watching

Place = tuple[str, int]
ABORTED = "abort"


def _no_ghost_is_read() -> Watching:
    written: dict[tuple[Place, int], list[tuple[int, str]]] = {}  # of who is still at work
    aborted: dict[tuple[Place, int], tuple[str, int]] = {}  # (partition, offset) -> event, marker
    polled: dict[tuple[Place, int], list[tuple[int, str]]] = {}  # the same -> entry, group

    def on_appended(entry: Any) -> None:
        _, topic, partition, base, event_ids, producer_id, *_ = entry[4]
        batch = written.setdefault(((topic, partition), producer_id), [])
        batch.extend(enumerate(event_ids, start=base))

    def on_marker(entry: Any) -> None:
        _, topic, partition, _, producer_id, _, result = entry[4]
        ended = written.pop(((topic, partition), producer_id), ())
        if result == ABORTED:
            for offset, event_id in ended:
                aborted[(topic, partition), offset] = (event_id, entry[0])

    def on_polled(entry: Any) -> None:
        _, group, topic, partition, offset, _ = entry[4]
        polled.setdefault(((topic, partition), offset), []).append((entry[0], group))

    def finish() -> Verdict:
        cases = Cases()
        for place, (event_id, marker) in aborted.items():
            for seq, group in polled.get(place, ()):
                said = f"{group} was given {event_id}, whose transaction was aborted"
                cases.add(said, sorted((seq, marker)), (event_id,))
        return cases.verdict("no_ghost_is_read", len(aborted))

    observers = {
        "batch_appended": on_appended, "transaction_marker_written": on_marker,
        "record_polled": on_polled,
    }  # fmt: skip
    return Watching(observers, finish)


no_ghost_is_read = Check(
    "no_ghost_is_read", "Nobody is given a record of an aborted transaction.", _no_ghost_is_read
)
