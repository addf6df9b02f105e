"""What a failed expectation throws: an AssertionError that carries the run which broke it.

The plugin reads the run off it: its trace is written to a file, its picture is drawn, and its
witness stands in the report.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.trace.trace import Trace


class PromiseBroken(AssertionError):
    """A promise was broken, or nobody can tell whether it was kept.

    Attributes:
        story: what happened, in lines.
        witness: the line that has the same run again; None if there is none.
        trace: the run, if there was one.
        event_ids: the events that the story is about, for the picture.
        by_witness: whether `pytest --witness` has it again; where somebody acted, or faults were
            drawn, the witness is not all of it, and the story says how.
        question: which of its test's questions the witness is of, from 1; 0: nobody counts.
    """

    def __init__(
        self,
        story: str,
        *,
        witness: str | None = None,
        trace: "Trace | None" = None,
        event_ids: tuple[str, ...] = (),
        by_witness: bool = True,
        question: int = 0,
    ) -> None:
        super().__init__(story)
        self.story = story
        self.witness = witness
        self.trace = trace
        self.event_ids = event_ids
        self.by_witness = by_witness
        self.question = question
