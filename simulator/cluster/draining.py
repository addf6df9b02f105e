"""When is nothing left to read, and nothing left to copy?

Markers, and what was aborted, are for no reader.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.cluster.cluster import Cluster
    from simulator.cluster.service import Service
    from simulator.cluster.transforming import Transformation
    from simulator.protocol.controller import Controller
    from simulator.protocol.partition import Partition

_ONE_BATCH = 1  # In bytes: a read gives one batch at least.


def nothing_to_read(log: "Partition", offset: int, isolation: str) -> bool:
    """Whether no record from `offset` on is for a reader of this isolation level.

    An open transaction is left to be read: it has an end to come.
    """
    committed_only = isolation == "read_committed"
    while offset < log.high_watermark:
        batches = log.read(offset, _ONE_BATCH, isolation).batches
        if not batches:
            return False
        (batch,) = batches
        gone = committed_only and batch.transactional and any(
            one.producer_id == batch.producer_id
            and one.first_offset <= batch.base_offset < one.last_offset
            for one in log.log.index.aborted
        )
        if not (batch.control or gone):
            return False
        offset = batch.next_offset
    return True


def is_drained(cluster: "Cluster", service: "Service | Transformation") -> bool:
    """Whether a service has read, and committed, all that is for it; or has given up."""
    if not service.nodes or service.has_ended:
        return True
    if not service.at_rest:
        return False
    group = cluster.group_at(service.group)
    for topic in service.serving.topics:
        for where in cluster.layout.partitions(topic):
            log = cluster.log(where)
            if log is None:
                return False
            if service.goes_by_positions:
                done = service.position(where)
            else:
                committed = group.committed(where) if group is not None else None
                done = committed.offset if committed is not None else log.log_start_offset
            end = log.high_watermark
            if done < end and not service.begins_at(where, end) and not nothing_to_read(
                log, done, service.isolation_level
            ):
                return False
    return True


def share_is_drained(cluster: "Cluster", group: str, topic: str) -> bool:
    """Whether a share group has finished everything in a topic."""
    for where in cluster.layout.partitions(topic):
        log = cluster.log(where)
        if log is None:
            return False
        machine = cluster.share_partition(group, *where)
        done = log.log_start_offset if machine is None else machine.start_offset
        if done < log.high_watermark:
            return False
    return True


def replicated(cluster: "Cluster", controller: "Controller") -> bool:
    """Whether all replicas are in sync, have the same end, and know that they have."""
    for where, registration in controller.partitions.items():
        if registration.isr != registration.replicas:
            return False
        replicas = [cluster.replica(name, *where) for name in registration.replicas]
        leader = cluster.replica(registration.leader, *where)
        if leader is None or leader.leading is None:
            return False
        if None in replicas:  # A broker that came back has not learnt what it keeps.
            return False
        ends = {
            (one.leader_epoch, one.log_end_offset, one.high_watermark)
            for one in replicas
            if one is not None
        }
        end = leader.log_end_offset
        if ends != {(registration.leader_epoch, end, end)}:
            return False
    return True
