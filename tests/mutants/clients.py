"""Bugs of clients: producers that count wrong, consumers that remember what they must not."""

from simulator.cluster.service import Service
from simulator.matrix import planted
from simulator.protocol import polling
from simulator.protocol.assignors import ASSIGNORS
from simulator.protocol.dispatch import Dispatch
from simulator.protocol.in_progress import Progress
from simulator.protocol.names import NO_SEQUENCE, TopicPartition
from simulator.protocol.positions import Positions


def _at_retry(patch, change):
    put_back = Dispatch._put_back

    def changed(self, batch, now_us):
        put_back(self, batch, now_us)
        change(batch)

    patch.setattr(Dispatch, "_put_back", changed)


def numbers_anew_at_retry(patch):
    """A batch that is sent again gets the next sequence."""

    def anew(batch):
        if batch in batch.queue.tracked:
            batch.queue.tracked.remove(batch)
        batch.base_sequence = NO_SEQUENCE
        batch.body = None

    _at_retry(patch, anew)


def forgets_its_id_at_retry(patch):
    """A batch that is sent again has no producer id and no sequence."""

    def nameless(batch):
        batch.body = batch.body._replace(producer_id=-1, producer_epoch=-1, base_sequence=-1)

    _at_retry(patch, nameless)


def acknowledges_before_the_answer(patch):
    """Sent is as good as stored."""
    planted.acknowledges_what_it_sends(patch)


class _Remembering(Positions):
    """Positions that outlast their assignment."""

    __slots__ = ("ever",)

    def __init__(self):
        super().__init__()
        self.ever = {}

    def assign(self, partitions):
        partitions = tuple(partitions)
        self.ever.update(self.assigned)
        super().assign(partitions)
        for partition in partitions:
            known = self.ever.get(partition)
            if known is not None and known.offset is not None:
                self.assigned[partition].move(known.offset)


def keeps_positions_over_rebalances(patch):
    """Who gets a partition back goes on where it was, whatever others did meanwhile."""
    patch.setattr(polling, "Positions", _Remembering)


def keeps_positions_over_crashes(patch):
    """What a consumer had buffered and handed out outlives its process."""
    keeps_positions_over_rebalances(patch)
    boot = Service._boot

    def remembering(self, node):
        before = self._consumers.get(node.name)
        boot(self, node)
        if before is not None:
            positions = before._machine.positions
            self._consumers[node.name]._machine.positions.ever = {
                **positions.ever, **positions.assigned
            }  # fmt: skip

    patch.setattr(Service, "_boot", remembering)


def keeps_handlers_over_crashes(patch):
    """A handler is made once a node, not once an incarnation: its memory outlives its process."""
    boot = Service._boot

    def once(self, node):
        made, factory = self.__dict__.setdefault("made", {}), self._factory

        def build(context):
            if node.name not in made:
                made[node.name] = (context, factory(context))
            first, handler = made[node.name]
            first.__dict__ = context.__dict__
            return handler

        self._factory = build
        try:
            boot(self, node)
        finally:
            self._factory = factory

    patch.setattr(Service, "_boot", once)


def commits_what_it_hands_out(patch):
    """Positions are committed when records are handed out, not when they are processed."""
    planted.commits_what_it_hands_out(patch)


def assigns_to_everybody(patch):
    """Each member is given every partition."""

    def everything(members, partitions, _racks):
        all_of_them = tuple(
            TopicPartition(topic, number) for topic in partitions for number in partitions[topic]
        )
        return {member.member_id: all_of_them for member in members}

    patch.setitem(ASSIGNORS, "range", everything)


def commits_past_gaps(patch):
    """Of records that are handled at once the furthest that is done is committed."""
    patch.setattr(Progress, "gap_aware", Progress.naive)


def commits_all_that_is_in_hand(patch):
    """Of records that are handled at once all that were handed out are committed."""
    patch.setattr(Progress, "gap_aware", lambda self: self.position)
