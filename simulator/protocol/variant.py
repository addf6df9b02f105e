"""How the parts behave: as Apache Kafka 4.0 does, or in one point as an older version did.

Every default is the present. Each switch brings one behaviour back, with the hole that it had, so
that the hole can be watched and its mending too. A variant is part of a scenario, and of nothing
else: no setting of Kafka turns these.

Not modelled: mixed clusters, in which some brokers or clients are older than others.
"""

import attrs

from simulator.errors import BadInput
from simulator.protocol.settings import one_of, switch
from simulator.protocol.truncation import TRUNCATIONS, Truncation


@attrs.frozen(kw_only=True)
class Variant:
    """Which of Kafka's behaviours the brokers, the controller and the clients have.

    Attributes:
        truncation: how followers cut their logs: "high watermark" (before 0.11), "KIP-101",
            "KIP-279" or "KIP-320".
        same_leader_truncates: a follower also looks where the logs part when its leader is the
            one before, in a newer epoch (KAFKA-7164).
        truncates_first: a follower cuts before it takes the leader's high watermark over
            (KAFKA-14704).
        frozen_below_min_isr: the high watermark stands still while the in-sync set is smaller
            than min.insync.replicas (KAFKA-15583).
        eligible_leader_replicas: those who leave the in-sync set below min.insync.replicas may
            still lead (KIP-966; off by default in 4.0), and an unclean shutdown ends that.
        consumers_validate: a consumer asks a new leader whether its position is still in the log
            (KIP-320 in clients, KAFKA-7747).
        consumers_fetch_from_followers: a consumer reads from the last replica, as from one of its
            own rack (KIP-392).
        consumers_wait_for_commit: before a rebalance a consumer waits for its automatic commit;
            without, partitions go to others uncommitted if it fails, and a cooperative member
            commits again and again instead of joining (3.2.0, KAFKA-14024).
        consumers_wait_for_stable_offsets: a consumer is not told what is committed while a
            transaction that would change it is open (KIP-447); without, who takes a partition
            over may begin at an offset that is past before it has handled one record.
        keeps_idle_producers: a producer is known until producer.id.expiration.ms, even when
            retention has deleted its last batch (KAFKA-7190).
        bumps_own_epoch: a producer whose sequence is lost asks for the next epoch, instead of
            beginning anew at sequence 0 under the old one (KIP-360).
        verifies_transactions: a partition takes a transactional batch only of a transaction that
            the coordinator knows to be open (KIP-890). Under version 2 it always asks.
        transaction_version: of transactions: 2 since 4.0 (KIP-890), where every end bumps the
            producer's epoch and leaders add their partitions; 1 before, where the producer adds
            them and keeps its epoch.
    """

    truncation: str = attrs.field(
        default="KIP-320", validator=one_of(*(way.name for way in TRUNCATIONS))
    )
    same_leader_truncates: bool = attrs.field(default=True, validator=switch)
    truncates_first: bool = attrs.field(default=True, validator=switch)
    frozen_below_min_isr: bool = attrs.field(default=True, validator=switch)
    eligible_leader_replicas: bool = attrs.field(default=False, validator=switch)
    consumers_validate: bool = attrs.field(default=True, validator=switch)
    consumers_fetch_from_followers: bool = attrs.field(default=False, validator=switch)
    consumers_wait_for_commit: bool = attrs.field(default=True, validator=switch)
    consumers_wait_for_stable_offsets: bool = attrs.field(default=True, validator=switch)
    keeps_idle_producers: bool = attrs.field(default=True, validator=switch)
    bumps_own_epoch: bool = attrs.field(default=True, validator=switch)
    verifies_transactions: bool = attrs.field(default=True, validator=switch)
    transaction_version: int = attrs.field(default=2, validator=one_of(1, 2))

    def __attrs_post_init__(self) -> None:
        if self.consumers_validate and self.truncation != "KIP-320":
            raise BadInput(
                "consumers validate their positions only with truncation KIP-320, not",
                "Variant",
                self.truncation,
                "also set consumers_validate=False",
            )

    @property
    def way_to_truncate(self) -> Truncation:
        """The way that `truncation` names, with its two switches."""
        way = next(way for way in TRUNCATIONS if way.name == self.truncation)
        return attrs.evolve(
            way,
            same_leader_too=self.same_leader_truncates,
            high_watermark_first=not self.truncates_first,
        )


PRESENT = Variant()
