"""Bugs that real systems had, found again: each by search, named by a check, and gone with its fix.

    known_bug    what a row of the table is, and among which faults it is searched
    searching    how a row is found, and how its fix is held up
    telling      a row as text: for the terminal, for the page, and faults as a command's words
    table        all rows by name
    scenarios    what the rows' scenarios have in common
    producers    rows P..: what producers and their retries do
    replicas     what the rows of replication have in common
    replication  rows R..: what leaders and elections do to acknowledged records
    truncation   rows R04 to R08 and R12: how followers cut logs that have parted
    lagging      rows R11 and R15: what brokers tell that lead no more
    transactions rows P04 and P11: transactions that never end, and offsets that are given twice
    rebalances   rows C01, C04, C07 and C12: what is done twice when partitions change hands
    offsets      rows C02, C03 and C08 to C11: offsets ahead of the work, behind it, or not told
    owners       rows C05, C06, C13 and C14: two owners, and order among those who follow
    consuming    what the rows of consumers have in common
    copying      a group that writes what it knows to another topic
    paying       what the rows of transactions have in common
    transacted   rows T01 to T03: what comes when its transaction is over
    transforming rows T04, T05, T11 and T12: to read, transform and write in transactions
    coordinating rows T06 to T10: what brokers of one product made of transactions
    moving       row T13: what an old coordinator says when another one has spoken
    interleaving row T14: transactions write among one another, which is no bug
    asking       what an application of a row asks brokers itself
    planning     plans of faults that must come together
    slips        mistakes in the code of one product, as patches of our own
    transaction_slips
                 those of transactions
    group_slips  such mistakes in groups and their offsets

`python -m experiments.known_bugs` searches all, `... known_bugs P01` one of them.

Not modelled: T15 of the rows, spurious zero offsets in Bufstream 0.1.0, whose mechanism was never
published.
"""
