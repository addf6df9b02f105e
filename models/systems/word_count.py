"""Word count: how often each word occurs in a stream of lines.

    lines > split > words > counter > the counts

`split` gives a record for each word, under the word as its key: so all of one word come to one
partition of `words`, and one counter sees them (a repartition topic, as Kafka Streams has it for a
group-by). With transactions the words of a poll, and how far the lines are read, are one: a line is
split once, whatever crashes. The counter notes the place of each record that it has counted.

Twins: `Splitting(transactional=False)` (a crash splits lines again), `offsets_in_transaction=False`
(the same, for what was committed and not marked as read), and a counter that reads what is not
committed (`read_uncommitted`).
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs

from models.patterns.sagas.order_saga import BROKER, PRODUCER, QUICK, serving
from simulator import (
    Add,
    Cases,
    Check,
    Cluster,
    Consumers,
    Insert,
    Output,
    Scenario,
    Transforming,
    UniqueViolation,
    Verdict,
    Watching,
    WorkItem,
)  # fmt: skip

LINES, WORDS, STORE = "lines", "words", "counts"
IMPATIENT = {"max.block.ms": 2_000, "transaction.timeout.ms": 5_000}
LOOKING_OFTEN = {
    **BROKER, "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
}  # fmt: skip


def line(number: int, text: str, at_ms: int = 0) -> WorkItem:
    """One line of text, `line-1`."""
    return WorkItem(at_ms * 1_000, LINES, None, text, f"line-{number}")


def split(_: Any) -> Any:
    """A factory of transforms from a line to its words."""

    def transform(record: Any) -> tuple[Output, ...]:
        return tuple(Output(word, "1") for word in record.value.lower().split())

    return transform


def counter(context: Any) -> Any:
    """A factory of handlers that count each place in the log once."""
    counts = context.store(STORE)

    def handle(record: Any) -> Any:
        place = f"{record.topic}-{record.partition}@{record.offset}"
        try:
            yield counts.transact(
                Insert("counted", place, effect=False), Add("words", record.key, 1)
            )
        except UniqueViolation:
            return  # It was counted before.

    return handle


def counting_scenario(
    lines: Sequence[WorkItem],
    *,
    isolation: str = "read_committed",
    instances: int = 1,
    **more: Any,
) -> Scenario:
    """The stream: who writes lines, who splits them, who counts.

    Args:
        isolation: of the counter.
        instances: of each group.
        more: fields of the Scenario, and switches of `Transforming`, such as transactional=False.
    """
    names = [field.name for field in attrs.fields(Transforming)]
    switches = {name: more.pop(name) for name in list(more) if name in names}
    splitting = Transforming(
        (LINES,),
        WORDS,
        {**QUICK, "max.poll.records": 2},
        producer={**PRODUCER, **IMPATIENT},
        poll_timeout_ms=100,
        static=True,
        **switches,
    )
    reading = attrs.evolve(serving((WORDS,)), settings={**QUICK, "isolation.level": isolation})

    def deploy(cluster: Cluster) -> None:
        cluster.topic(LINES)
        cluster.topic(WORDS, 2)
        cluster.store(STORE)
        cluster.source("writer", lines, PRODUCER)
        cluster.transform("split", instances, split, splitting)
        cluster.group("counter", instances, counter, reading)

    return Scenario(
        name="word count", broker=LOOKING_OFTEN, consumers=Consumers(instances=0),
        application=deploy, **more,
    )  # fmt: skip


def words_counted(lines: Sequence[WorkItem]) -> Check:
    """No word is ever counted more often than it occurs; in the end each that was taken is."""
    texts = {one.event_id: one.value.lower().split() for one in lines}
    occurs = Counter(word for words in texts.values() for word in words)

    def start() -> Watching:
        counts: dict[str, int] = {}
        taken: Counter[str] = Counter()
        cases, reason = Cases(), ""

        def on_acknowledged(entry: Any) -> None:
            taken.update(texts.get(entry[4][1], ()))

        def on_applied(entry: Any) -> None:
            _, table, word, count, event_id = entry[4]
            if table == "words":
                counts[word] = count
                if count > occurs[word]:
                    said = f"{word} occurs {occurs[word]} times, and was counted {count} times"
                    cases.add(said, (entry[0],), (event_id,))

        def on_ended(entry: Any) -> None:
            nonlocal reason
            reason = entry[4][1]

        def finish() -> Verdict:
            reached = sum(counts.values())
            cut = "" if reason == "quiet" else f"the run was cut ({reason or 'no end'})"
            if cut and cases.count:  # What was counted too often is sure, however the run ended.
                return cases.verdict("words_counted", reached)
            for word, times in taken.items():
                found = counts.get(word, 0)
                if found < times:
                    cases.add(f"{word} was taken {times} times, and counted {found} times")
            return cases.verdict("words_counted", reached, open_because=cut)

        observers = {
            "record_acknowledged": on_acknowledged, "effect_applied": on_applied,
            "run_ended": on_ended,
        }  # fmt: skip
        return Watching(observers, finish)

    return Check("words_counted", "Each word is counted as often as it occurs.", start)
