"""Was the promise kept? From what was recorded to a verdict: kept, broken or cannot tell.

    verdict    Verdict, its evidence, its explanation; several as one
    story      the few entries that a case is about, as lines
    case       which entries those are      telling    the words for them
    sentences  any entry as a sentence
    check      Check: a promise that can be watched online, or judged from a kept trace
    ending     whether a run ended so that liveness may be judged
    delivery   lost, delivered twice, applied twice, invented
    order      of a partition, of a key
    groups     committed offsets: regressed, or ahead of what was processed
    progress   drained at the end
    catalogue  all of them by name

Delivery is judged by what clients and effects saw, never by what brokers say of themselves.
"""
