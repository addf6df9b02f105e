"""What do transactions change in a word count that is spread over two topics?

Lines are split into words, and words counted. Whoever splits them may crash between writing words
and marking the line as read. Either words and mark are one transaction, or they are not; and the
counter reads what is committed, or everything.

Predict before you run it: which of the four counts too much when something crashes, and by how
much? Which transaction is of no use because of its reader? What do transactions cost in time?
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from experiments._shared import plotted
from models.systems.word_count import counting_scenario, line, words_counted
from simulator import (
    CrashHazard,
    Experiment,
    Hazards,
    Link,
    Scenario,
    Topology,
    exponential,
    number,
    share,
)  # fmt: skip

WAYS: Mapping[str, Mapping[str, Any]] = {
    "in transactions": {},
    "at least once": {"transactional": False},
    "offsets apart": {"offsets_in_transaction": False},
    "everything is read": {"isolation": "read_uncommitted"},
}
CRASHES = {"none": 0.0, "10 %": 0.1}  # Of the moments before and after a commit.
TEXT = "to be or not to be", "that is the question", "whether it is nobler", "to take arms or not"
LINES = tuple(line(n, TEXT[n % len(TEXT)], 100 + 40 * n) for n in range(24))
WORDS = sum(len(one.value.split()) for one in LINES)


@attrs.define
class Counts:
    """Counts of one run: each word's, and when the last was counted."""

    counted: dict[str, int] = attrs.field(factory=dict)
    last_us: int = 0

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (("effect_applied", self._on_applied),)

    def _on_applied(self, entry: Any) -> None:
        if entry[4][1] == "words":
            self.counted[entry[4][2]] = entry[4][3]
            self.last_us = entry[1]

    @property
    def too_many(self) -> tuple[int, int]:
        """Words that were counted and do not occur, of all that were counted."""
        counted = sum(self.counted.values())
        return max(0, counted - WORDS), counted


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """A line every 40 ms, and one who splits them, and may crash when it commits."""
    hazard = CrashHazard("split-*", "*_commit", factors["crashes"])
    return counting_scenario(
        LINES,
        hazards=Hazards(crash=(hazard,)),
        topology=Topology(links=(Link(latency=exponential(1_000, floor_us=200)),)),
        **WAYS[factors["words are"]],
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Whatever is not one transaction to its reader is counted again."""
    wrong = factors["words are"] != "in transactions" and factors["crashes"] > 0
    return {"words_counted": "broken" if wrong else "kept"}


EXPERIMENT = Experiment(
    name="word_count",
    question="What do transactions change in a word count that is spread over two topics?",
    scenario=scenario,
    factors={"words are": tuple(WAYS), "crashes": CRASHES},
    measures={
        "counted too much": share(lambda run: run.too_many),
        "all counted after": number(lambda run: run.last_us / 1_000, unit="ms"),
    },
    checks={"words_counted": words_counted(LINES)},
    promises=expected,
    runs=10,
    baseline={"words are": "in transactions"},
    gather=Counts,
)

illustrate = plotted
