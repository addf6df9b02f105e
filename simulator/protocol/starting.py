"""How a partition comes to a position: the committed offset, else auto.offset.reset.

1. What the group has committed is asked for all partitions without a position in one request;
   until it is answered, poll hands nothing out.
2. Where nothing is committed, and where a position was out of range, auto.offset.reset decides:
   earliest, latest and by_duration ask the partition's leader (ListOffsets), none throws.
3. An answer counts only if the partition still awaits it: a seek meanwhile wins.
4. by_duration takes the first record that is no older, by the consumer's clock. While there is
   none the partition has no position, and is asked about every request.timeout.ms (KIP-1106).
5. A committed offset may come with the epoch of the record before it, and is validated like any
   other position before anything is fetched; see `validating`.

Sources: ConsumerCoordinator.refreshCommittedOffsetsIfNeeded, OffsetFetcher.java,
AutoOffsetResetStrategy.java.
"""

from simulator.errors import KafkaError, NoOffsetForPartition, RetriableError
from simulator.protocol.committing import Committing
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.errors import Error
from simulator.protocol.leader_epochs import NO_EPOCH
from simulator.protocol.leaders import Leaders
from simulator.protocol.lookup import Lookup
from simulator.protocol.messages import (
    EARLIEST_TIMESTAMP,
    LATEST_TIMESTAMP,
    ListOffsetsRequest,
    ListOffsetsResponse,
    OffsetAsked,
)
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.positions import Consumed, Position, Positions
from simulator.protocol.validating import Validating
from simulator.protocol.wire import NEVER, Happened, Wire

TIMESTAMPS = {"earliest": EARLIEST_TIMESTAMP, "latest": LATEST_TIMESTAMP}


class Starting:
    """Finds a position for every partition that has none, and validates those that need it."""

    def __init__(
        self,
        settings: ConsumerSettings,
        wire: Wire,
        positions: Positions,
        leaders: Leaders,
        group: tuple[Lookup, Committing] | None,
    ) -> None:
        self._settings = settings
        self._wire = wire
        self._positions = positions
        self._leaders = leaders
        self._group = group
        self._policy = settings.auto_offset_reset
        self._request_us = settings.request_timeout_ms * MICROS_PER_MS
        self._validating = Validating(settings, wire, positions, leaders, self.reset)
        self._asked: list[Position] | None = None
        self._try_at_us = 0
        self._attempts = 0

    def reset(self, position: Position) -> None:
        """Give up a position and take the one that auto.offset.reset names, which is not none."""
        position.await_reset(self._policy)
        self._positions.unsettled = True
        self._positions.moved += 1

    def settle(self, now_us: int) -> bool:
        """Do what can be done for partitions without a position; whether poll must wait for it."""
        validating = self._positions.validating()
        if validating:
            self._validating.ask(validating, now_us)
        without = self._positions.initializing()
        if without and self._group is not None:
            self._ask_committed(without, now_us)
            return True
        if without:
            self._start_anew(without)
        resetting = self._positions.resetting()
        if resetting:
            self._list(resetting, now_us)
        elif not without and not validating:
            self._positions.unsettled = False
        return False

    def _start_anew(self, positions: list[Position]) -> None:
        """There is no committed offset for these."""
        if self._policy == "none":
            names = ", ".join(str(one.partition) for one in positions)
            self._wire.failure = NoOffsetForPartition(
                f"no offset is committed for {names}, and auto.offset.reset is none: "
                "commit or seek first, or set it to earliest or latest"
            )
            return
        for position in positions:
            self.reset(position)

    # --- The committed offset -----------------------------------------------------------------

    def _ask_committed(self, without: list[Position], now_us: int) -> None:
        assert self._group is not None, "only a group has committed offsets"
        lookup, committing = self._group
        if (
            self._asked is not None
            and all(one is other for one, other in zip(self._asked, without, strict=False))
            and len(self._asked) == len(without)
        ):
            return
        if lookup.node is None:
            lookup.find(now_us)
            return
        if now_us < self._try_at_us:
            self._wire.want(self._try_at_us)
            return
        self._asked = without

        def got(result: Consumed | KafkaError, at_us: int) -> None:
            if self._asked is not without:
                return  # Another assignment has asked since.
            self._asked = None
            if isinstance(result, RetriableError):
                self._try_at_us = at_us + self._wire.backoff_us(self._attempts)
                self._attempts += 1
                self._wire.want(self._try_at_us)
            elif isinstance(result, KafkaError):
                self._wire.failure = result
            else:
                self._attempts = 0
                self._begin(without, result)

        committing.fetch(tuple(one.partition for one in without), got)

    def _begin(self, asked: list[Position], committed: Consumed) -> None:
        nowhere = []
        for position in asked:
            if not self._awaits(position) or position.reset is not None:
                continue
            offset = committed.get(position.partition)
            if offset is None:
                nowhere.append(position)
            else:
                epoch = committed.epochs.get(position.partition, NO_EPOCH)
                self._leaders.saw(position.partition, epoch)
                position.move(offset, epoch)
        self._positions.moved += 1
        if nowhere:
            self._start_anew(nowhere)

    def _awaits(self, position: Position) -> bool:
        assigned = self._positions.assigned.get(position.partition) is position
        return assigned and position.offset is None

    # --- What the log's leader says -----------------------------------------------------------

    def _list(self, resetting: list[Position], now_us: int) -> None:
        leaders: dict[str, list[Position]] = {}
        for position in resetting:
            if position.asked:
                continue
            if now_us < position.try_at_us:
                self._wire.want(position.try_at_us)
                continue
            node = self._leaders.nodes.get(position.partition)
            if node is None:
                self._leaders.stale()
            else:
                leaders.setdefault(node, []).append(position)
        for node, positions in leaders.items():
            asked = [(one, one.reset or "") for one in positions]
            for position in positions:
                position.asked = True
            request = ListOffsetsRequest(
                tuple(
                    OffsetAsked(one.partition, self._timestamp_ms(policy, now_us), one.leader_epoch)
                    for one, policy in asked
                ),
                self._settings.isolation_level,
            )
            self._wire.ask(node, request, _Listing(self, asked))

    def _timestamp_ms(self, policy: str, now_us: int) -> int:
        """What to ask for; a duration counts back from now, and never beyond the first moment."""
        if policy in TIMESTAMPS:
            return TIMESTAMPS[policy]
        return max(0, now_us - self._settings.reset_back_us) // MICROS_PER_MS

    def listed(
        self, asked: list[tuple[Position, str]], body: ListOffsetsResponse | None, now_us: int
    ) -> None:
        """A leader has answered, or will not."""
        listed = {} if body is None else {one.partition: one for one in body.results}
        for position, policy in asked:
            if not self._awaits(position) or position.reset != policy:
                continue
            position.asked = False
            result = listed.get(position.partition)
            if result is not None and result.error is Error.NONE and result.offset >= 0:
                self._leaders.saw(position.partition, result.leader_epoch)
                position.move(result.offset)  # Of no epoch: it is not validated.
                self._positions.moved += 1
                topic, number = position.partition
                group = self._settings.group_id or ""
                event = ("position_reset", group, topic, number, result.offset, policy)
                self._wire.outbox.append(Happened(event))
            elif result is not None and result.error is Error.NONE:
                position.try_at_us = now_us + self._request_us
                self._wire.want(position.try_at_us)
            elif result is None or result.error.retriable:
                position.try_at_us = now_us + self._wire.backoff_us(0)
                self._wire.want(position.try_at_us)
                self._leaders.stale()
            else:
                position.try_at_us = now_us + self._wire.backoff_us(0)
                self._wire.failure = KafkaError(
                    f"{result.error.name}: {position.partition} tells no {policy} offset"
                )

    def due_us(self, now_us: int) -> int:
        """When something failed may be tried again."""
        if not self._positions.unsettled:
            return NEVER
        waiting = (*self._positions.resetting(), *self._positions.validating())
        times = [one.try_at_us for one in waiting if not one.asked]
        times.append(self._try_at_us)
        return min((at for at in times if at > now_us), default=NEVER)


class _Listing:
    """Where the answer to one ListOffsets goes."""

    __slots__ = ("_asked", "_starting")

    def __init__(self, starting: Starting, asked: list[tuple[Position, str]]) -> None:
        self._starting = starting
        self._asked = asked

    def __call__(self, body: ListOffsetsResponse | None, now_us: int) -> None:
        self._starting.listed(self._asked, body, now_us)
