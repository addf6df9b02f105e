"""Promises about repetition: how often a handler runs, what a crash repeats, and by whose doing.

handled_once       the business code of a handler runs once for each event (it notes each run)
runs_as_it_acts    it runs as often as the event takes effect
repeats_at_most    one who crashes has at most so many of its records handled again
repeats_explained  an event has a second effect only where, between the first and its commit,
                   somebody crashed, or the partition went to somebody else
"""

from typing import Any

from simulator import Cases, Check, Verdict, Watching

RAN = "ran"  # What a handler notes when its business code runs: mail is sent, a card is charged.


def _handled_once() -> Watching:
    cases = Cases()
    first: dict[str, int] = {}

    def on_noted(entry: Any) -> None:
        _, name, event_id = entry[4]
        if name == RAN and first.setdefault(event_id, entry[0]) != entry[0]:
            cases.add(f"{event_id} was handled again", (first[event_id], entry[0]), (event_id,))

    def finish() -> Verdict:
        return cases.verdict("handled_once", len(first))

    return Watching({"noted": on_noted}, finish)


handled_once = Check("handled_once", "A handler runs once for each event.", _handled_once)


def _runs_as_it_acts() -> Watching:
    runs: dict[str, list[int]] = {}
    effects: dict[str, list[int]] = {}
    reason = ""

    def on_noted(entry: Any) -> None:
        _, name, event_id = entry[4]
        if name == RAN:
            runs.setdefault(event_id, []).append(entry[0])

    def on_applied(entry: Any) -> None:
        effects.setdefault(entry[4][4], []).append(entry[0])

    def on_ended(entry: Any) -> None:
        nonlocal reason
        reason = entry[4][1]

    def finish() -> Verdict:
        cases = Cases()
        for event_id, seqs in runs.items():
            done = effects.get(event_id, [])
            if len(seqs) != len(done):
                said = f"{event_id} was handled {len(seqs)} times, and had {len(done)} effects"
                cases.add(said, sorted((*seqs, *done)), (event_id,))
        cut = "" if reason == "quiet" else f"the run was cut ({reason or 'no end'})"
        return cases.verdict("runs_as_it_acts", len(runs), open_because=cut)

    observers = {"noted": on_noted, "effect_applied": on_applied, "run_ended": on_ended}
    return Watching(observers, finish)


runs_as_it_acts = Check(
    "runs_as_it_acts", "A handler runs as often as its event takes effect.", _runs_as_it_acts
)


def repeats_at_most(limit: int, name: str = "repeats_at_most") -> Check:
    """The check that of what one life of an instance has handled, at most `limit` is repeated."""

    def start() -> Watching:
        cases = Cases()
        lives: dict[str, int] = {}
        doer: dict[tuple[Any, ...], tuple[str, int, int]] = {}  # place -> who, which life, entry
        repeated: dict[tuple[str, int], dict[tuple[Any, ...], None]] = {}

        def on_crashed(entry: Any) -> None:
            lives[entry[2]] = lives.get(entry[2], 0) + 1

        def on_ended(entry: Any) -> None:
            if entry[4][6] == "done":
                doer[entry[4][1:5]] = (entry[2], lives.get(entry[2], 0), entry[0])

        def on_started(entry: Any) -> None:
            place, event_id = entry[4][1:5], entry[4][5]
            known = doer.get(place)
            if known is None:
                return
            again = repeated.setdefault(known[:2], {})
            again[place] = None
            if len(again) > limit:
                said = f"{event_id} is the {len(again)}. record of {known[0]} to be handled again"
                cases.add(said, (known[2], entry[0]), (event_id,))

        def finish() -> Verdict:
            return cases.verdict(name, sum(len(again) for again in repeated.values()))

        observers = {
            "node_crashed": on_crashed, "processing_started": on_started,
            "processing_ended": on_ended,
        }  # fmt: skip
        return Watching(observers, finish)

    return Check(name, f"One crash has at most {limit} records handled again.", start)


def _repeats_explained() -> Watching:
    cases, reached = Cases(), 0
    excuses: list[tuple[int, Any, Any]] = []  # when, of whom, and of what; None: of all
    owners: dict[tuple[str, int], str] = {}
    doer: dict[str, tuple[str, tuple[str, int], int]] = {}  # event -> who, where, offset
    first: dict[tuple[Any, ...], tuple[int, str]] = {}
    commits: dict[tuple[str, int], list[tuple[int, int]]] = {}  # partition -> (when, offset)

    def on_gone(entry: Any) -> None:
        excuses.extend((entry[0], entry[2], tuple(place)) for place in entry[4][3])

    def on_assigned(entry: Any) -> None:
        """That another has it now says that it was taken away, though its owner may not know."""
        for place in map(tuple, entry[4][3]):
            if owners.setdefault(place, entry[2]) != entry[2]:
                excuses.append((entry[0], None, place))
            owners[place] = entry[2]

    def on_started(entry: Any) -> None:
        _, _, topic, partition, offset, event_id, *_ = entry[4]
        doer[event_id] = (entry[2], (topic, partition), offset)

    def on_committed(entry: Any) -> None:
        _, _, topic, partition, offset, *_ = entry[4]
        commits.setdefault((topic, partition), []).append((entry[0], offset))

    def excused(seq: int, node: str, where: Any, offset: int) -> bool:
        done = [when for when, end in commits.get(where, ()) if when > seq and end > offset]
        until = min(done, default=None)
        return any(
            seq < when and (until is None or when < until)
            for when, whose, place in excuses
            if whose in (None, node) and place in (None, where)
        )

    def on_applied(entry: Any) -> None:
        nonlocal reached
        _, table, key, _, event_id = entry[4]
        row = (table, key, event_id)
        node, where, offset = doer.get(event_id, ("", ("", 0), 0))
        lost = owners.get(where, node) != node  # A stale owner, who may have slept all the while.
        if row not in first:
            first[row] = (entry[0], node)
            return
        reached += 1
        seq, node = first[row]
        if not lost and not excused(seq, node, where, offset):
            said = f"{event_id} changed {table} again, and {node} had neither crashed nor lost it"
            cases.add(said, (seq, entry[0]), (event_id,))

    def finish() -> Verdict:
        return cases.verdict("repeats_explained", reached)

    observers = {
        "node_crashed": lambda entry: excuses.append((entry[0], None, None)),
        "partitions_revoked": on_gone, "partitions_lost": on_gone,
        "partitions_assigned": on_assigned, "offset_committed": on_committed,
        "processing_started": on_started, "effect_applied": on_applied,
    }  # fmt: skip
    return Watching(observers, finish)


repeats_explained = Check(
    "repeats_explained",
    "An effect is repeated only where somebody crashed or lost it before it was committed.",
    _repeats_explained,
)
