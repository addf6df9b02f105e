"""Anybody's history of a Kafka log, judged: from recorded operations to named anomalies.

    operations   what was done, as columns of integers
    options      which anomalies are allowed, and how real time counts
    decoding     a JSON document, read piece by piece
    recording    kafka-history/1: what an operation must look like
    reading      a file of that form
    tracing      a trace of our own, as operations
    versions     which value lies where in each log
    catalogue    every anomaly: its name and what it means
    finding      cases of anomalies: counted, and the first ones kept
    places       inconsistent-offsets, duplicate
    lost         lost-write, unseen
    dirty        G1a, precommitted-read, phantom
    sessions     skips, and steps back: inside one operation and from one to the next
    graph        who depends on whom         components  strongly connected ones
    cycles       G0, G1c and their kin       witnesses   the cycle that is shown
    measures     realtime lag, how often a process was given a record
    judging      all of it, as one judgement
    telling      a case as a sentence

The anomalies are those of Jepsen's checker for Kafka and of Elle, and some that these leave out
(`phantom`, `G1a-unconfirmed`). A key is one topic-partition. Values are unique to their key; what
was sent twice under one value leaves the whole undecided.
"""
