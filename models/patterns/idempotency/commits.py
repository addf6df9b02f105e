"""A promise about commits: what is committed has taken effect, by what stores and brokers tell.

The library's `never_committed_past_processed` asks handlers whether they are done; this asks what
is there. A record whose handler has nothing to write is outside of it.
"""

from typing import Any

from simulator import Cases, Check, Verdict, Watching


def _commits_follow_effects() -> Watching:
    cases, commits = Cases(), 0
    lying: dict[tuple[str, int], dict[int, str]] = {}  # partition -> offset -> event
    applied: dict[str, None] = {}

    def on_appended(entry: Any) -> None:
        _, topic, partition, base, event_ids, *_ = entry[4]
        there = lying.setdefault((topic, partition), {})
        there.update(enumerate(event_ids, start=base))

    def on_committed(entry: Any) -> None:
        nonlocal commits
        _, group, topic, partition, offset, *_ = entry[4]
        commits += 1
        there = lying.get((topic, partition), {})
        for place in [one for one in there if one < offset]:
            event_id = there.pop(place)
            if event_id not in applied:
                said = f"{group} committed {topic}-{partition}@{offset}, and {event_id}"
                cases.add(f"{said} (@{place}) had taken no effect", (entry[0],), (event_id,))

    def finish() -> Verdict:
        return cases.verdict("commits_follow_effects", commits)

    observers = {
        "batch_appended": on_appended, "offset_committed": on_committed,
        "effect_applied": lambda entry: applied.setdefault(entry[4][4]),
    }  # fmt: skip
    return Watching(observers, finish)


commits_follow_effects = Check(
    "commits_follow_effects",
    "What is committed has taken effect, and so has all that lies before it.",
    _commits_follow_effects,
)
