"""What is promised of read models, each as a check of what a run wrote and what clients noted."""

from typing import Any

from models.patterns.event_sourcing.event_promises import EFFECTS, check_of
from models.patterns.read_models.following import APPLIED, FEED
from models.patterns.read_models.projections import CHECKPOINTS, LOG, MODEL
from simulator import Cases


class _State:
    """The log, the model and the checkpoint, as far as they are written."""

    def __init__(self) -> None:
        self.log: dict[int, int] = {}
        self.model: dict[tuple[str, Any], int] = {}
        self.checkpoints: dict[str, int] = {}

    def take(self, entry: Any) -> None:
        """One row was written."""
        node, (_, table, key, value, _) = entry[2], entry[4]
        if table == LOG:
            self.log[key] = value[1]
        elif table == MODEL:
            self.model[node, key] = value
        elif table == CHECKPOINTS:
            self.checkpoints[node] = value

    def shown(self, node: str) -> int:
        """The sum of the model's rows, in one store."""
        return sum(value for (where, _), value in self.model.items() if where == node)

    def folded(self, checkpoint: int | None = None) -> int:
        """What the log comes to, up to a position."""
        upto = self.log if checkpoint is None else [p for p in self.log if p <= checkpoint]
        return sum(self.log[position] for position in upto)

    @property
    def stores(self) -> list[str]:
        """Where there are models."""
        return list(dict.fromkeys([*self.checkpoints, *(where for where, _ in self.model)]))


def _equals_replay(entries: list[Any], cases: Cases) -> int:
    state = _State()
    for entry in entries:
        state.take(entry)
    for node in state.stores:
        shown, folded = state.shown(node), state.folded()
        if shown != folded:
            said = f"{node} shows {shown} at last, and the log comes to {folded}"
            cases.add(said, [one[0] for one in entries if one[2] == node][-5:])
    return len(state.log)


def _prefix(entries: list[Any], cases: Cases) -> int:
    state, moments = _State(), 0
    for place, entry in enumerate(entries):
        state.take(entry)
        last = place + 1 == len(entries) or entries[place + 1][1] != entry[1]
        if not last:
            continue  # The rest of the same transaction.
        for node in state.stores:
            moments += 1
            checkpoint = state.checkpoints.get(node, 0)
            shown, folded = state.shown(node), state.folded(checkpoint)
            if shown != folded:
                said = (
                    f"{node} shows {shown} with its checkpoint at {checkpoint}, "
                    f"and the log up to there comes to {folded}"
                )
                cases.add(said, (entry[0],))
    return moments


def _monotone(entries: list[Any], cases: Cases) -> int:
    last: dict[str, tuple[int, int]] = {}
    moves = [one for one in entries if one[4][1] == CHECKPOINTS]
    for one in moves:
        seq, was = last.get(one[2], (one[0], 0))
        if one[4][3] < was:
            cases.add(f"{one[2]}'s checkpoint fell from {was} to {one[4][3]}", (seq, one[0]))
        last[one[2]] = (one[0], one[4][3])
    return len(moves)


def _own_writes(entries: list[Any], cases: Cases) -> int:
    notes = [one for one in entries if one[4][1] == "answered"]
    for one in notes:
        wrote, seen, *_ = one[4][2].split(" ")
        if seen != "late" and int(seen) < int(wrote):
            said = f"{one[2]} wrote {wrote}, and was answered as of {seen}"
            cases.add(said, (one[0],))
    return len(notes)


def _never_back(entries: list[Any], cases: Cases) -> int:
    last: dict[str, tuple[int, int]] = {}
    notes = [one for one in entries if one[4][1] == "read"]
    for one in notes:
        seq, was = last.get(one[2], (one[0], 0))
        now = int(one[4][2])
        if now < was:
            cases.add(f"{one[2]} saw {was}, and then {now}", (seq, one[0]))
        last[one[2]] = (one[0], max(was, now))
    return len(notes)


equals_replay = check_of(
    "equals_replay", "In the end a read model is what its log comes to.", EFFECTS,
    _equals_replay, at_last=True,
)  # fmt: skip
prefix_consistent = check_of(
    "prefix_consistent", "A read model is always what the log up to its checkpoint comes to.",
    EFFECTS, _prefix,
)  # fmt: skip
checkpoint_never_falls = check_of(
    "checkpoint_never_falls", "A checkpoint never goes back.", EFFECTS, _monotone
)
own_writes_seen = check_of(
    "own_writes_seen", "Who has written is not given an older answer.", ("noted",), _own_writes
)
never_back_in_time = check_of(
    "never_back_in_time", "Who has seen a state is not shown an older one.", ("noted",),
    _never_back,
)  # fmt: skip


# --- Positions ----------------------------------------------------------------------------------


def _missing(entries: list[Any]) -> tuple[list[tuple[int, int, str]], int, list[int]]:
    """(entry, position, event) of what was never applied; the last applied; what is in the log."""
    log = {one[4][2]: (one[0], one[4][3]) for one in entries if one[4][1] == FEED}
    applied = {one[4][2]: one[0] for one in entries if one[4][1] == APPLIED}
    missing = [(seq, key, what) for key, (seq, what) in log.items() if key not in applied]
    return missing, max(applied, default=0), list(log)


def _skipped(entries: list[Any], cases: Cases) -> int:
    """What it has examined are the events that came when a later position was there already."""
    missing, last, log = _missing(entries)
    for seq, position, event_id in missing:
        if position < last:
            cases.add(f"{event_id} at {position} was passed: {last} is applied, it is not", (seq,))
    return sum(position < max(log[:place]) for place, position in enumerate(log) if place)


def _stuck(entries: list[Any], cases: Cases) -> int:
    """What it has examined are the events behind a position that nobody has filled."""
    missing, last, log = _missing(entries)
    for seq, position, event_id in missing:
        if position > last:
            cases.add(f"{event_id} at {position} waits behind {last} for ever", (seq,))
    gaps = [one for one in range(1, max(log, default=0)) if one not in log]
    return sum(position > gaps[0] for position in log) if gaps else 0


never_skipped = check_of(
    "never_skipped", "No event is passed that is not applied.", EFFECTS, _skipped, at_last=True
)
never_stuck = check_of(
    "never_stuck", "No event waits for ever behind a position that nobody fills.", EFFECTS,
    _stuck, at_last=True,
)  # fmt: skip
