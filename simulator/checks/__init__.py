"""Was the promise kept? From what was recorded to a verdict: kept, broken or cannot tell.

    verdict    Verdict, its evidence, its explanation; several as one
    story      the few entries that a case is about, as lines
    case       which entries those are
    telling    the words for them           telling_replicas  those for replicas
    sentences  any entry as a sentence
    check      Check: a promise that can be watched online, or judged from a kept trace
    ending     whether a run ended so that liveness may be judged
    delivery   lost, delivered twice, applied twice, invented
    order      of a partition, of a key
    groups     committed offsets: regressed, or ahead of what was processed
    ownership  a partition is one member's at a time
    fencing    nobody commits who is out of the group
    takeover   what former owners of a partition write, and their successors
    progress   drained at the end
    answered   every record that was handed over has its answer
    logs       the log as clients saw it: lost, unseen, inconsistent, stored twice, out of order
    unread     who should have read what    replication  what replicas keep, and agree on
    replicas   each replica's log           leading      who leads a partition
    converging what replicas hold in the end
    catalogue  all of them by name

Delivery and logs are judged by what clients and effects saw, never by what brokers say of
themselves; only `replication` and `converging` ask brokers.
"""
