"""Topics, keys and order: where an event goes, what it is kept in order with, and who must read it.

keys      an event's key: the order's id, its type, a random one, none
designs   which event types share a topic: those of an aggregate, all, or each its own
order     the promise that an aggregate's events take effect in the order in which they happened
load      what a run did to partitions and readers: records, backlog, what was read in vain

Each is a plain function or value, to be put into a scenario: the wrong ones differ from the right
one in a single argument.
"""
