"""Of a whole trace the few entries that a case is about, as lines that lead from one to the next.

Rule 1: a story begins with the sending, then skips to where the case begins, and ends with it.
Rule 2: in between it tells what befell those who worked on the events: crashes, pauses, what was
committed by then, who owned the partition next and where they went on.
Rule 3: how the events came into the log is told only if that went wrong.

Not modelled: how clients waited, and heartbeats, joins and metadata: they are in the trace.
"""

from collections.abc import Iterable

from simulator.checks.case import Case
from simulator.checks.sentences import line, sentence, timed
from simulator.checks.telling import tell
from simulator.trace.trace import Trace

__all__ = ["LINES_MOST", "about", "sentence", "story", "timed"]

LINES_MOST = 20


def about(event_ids: Iterable[str]) -> str:
    """What a story is headed with: `What happened to e1:`."""
    whom = " and ".join(dict.fromkeys(event_ids))
    return f"What happened to {whom}:" if whom else "What happened:"


def story(trace: Trace, seqs: Iterable[int], event_ids: Iterable[str] = ()) -> list[str]:
    """The entries that matter to a case, as lines.

    Args:
        trace: a kept trace.
        seqs: the entries that show the case.
        event_ids: the events that it is about; if it is one, it is called "it".
    """
    lines = [line(*one) for one in tell(Case(trace, seqs, event_ids))]
    if len(lines) <= LINES_MOST:
        return lines
    half = LINES_MOST // 2
    left_out = line(None, f"... ({len(lines) - 2 * half + 1} more)")
    return [*lines[:half], left_out, *lines[1 - half :]]
