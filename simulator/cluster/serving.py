"""How a group serves: when it commits, whose group.id its instances have, how long work takes.

When offsets are committed is the whole difference between delivery guarantees:

before  poll, commit, handle: a crash in between loses what was not handled yet. A record is
        handled only if its commit is known to have succeeded, and never tried twice.
after   poll, handle, commit: a crash in between makes the next owner handle it again. A handler
        that fails is tried again, after a pause, until it succeeds.
auto    the consumer commits positions by itself, in poll (enable.auto.commit).
none    nothing is ever committed.

Whose group.id an instance has is a choice too, and a mistake to make:

one     all have the group's: they share its partitions.
none    no instance has any: each assigns itself all partitions, and nothing can be committed.
random  each start of an instance draws one: it is a group of its own, which nobody else is in and
        which knows of no commit.

With `parallel`, an instance handles several records at once: see `parallel` and `Parallel`.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from simulator.chance.laws import Delay, constant
from simulator.errors import BadInput
from simulator.scenario.parallel import Parallel

GROUP_IDS = ("one", "none", "random")


@attrs.frozen
class Serving:
    """How a group serves.

    Args:
        topics: what it subscribes to.
        settings: its consumers' settings, by Kafka's names.
        commit: before, after, auto or none; see above.
        commit_each: commit after (or before) each record, not each poll.
        processing: the delay law of handling one record, before its handler runs.
        poll_timeout_ms: how long a poll waits for records at most; at least 1, for time must pass.
        producer: settings of the producer by which handlers send.
        commit_revoked: commit what a rebalance takes before it goes (in onPartitionsRevoked).
        static: whether each instance has its node's name as its group.instance.id (KIP-345).
        group_ids: one, none or random; see above.
        parallel: how an instance handles several records at once; None: one after the other.

    Raises:
        BadInput: group_ids is none of these, or commits are asked for without a group.id.
    """

    topics: tuple[str, ...]
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    commit: str = "after"
    commit_each: bool = False
    processing: Delay = attrs.field(default=constant(0))
    poll_timeout_ms: int = 60_000
    producer: Mapping[str, Any] = attrs.field(factory=dict)
    commit_revoked: bool = False
    static: bool = False
    group_ids: str = "one"
    parallel: Parallel | None = None

    def __attrs_post_init__(self) -> None:
        if self.group_ids not in GROUP_IDS:
            raise BadInput("group_ids is one of one, none, random:", "", self.group_ids)
        if self.group_ids == "none" and (self.commit != "none" or self.static):
            asked = "static" if self.static else f"commit={self.commit}"
            raise BadInput("without a group.id there is neither:", "", asked, "commit='none'")
