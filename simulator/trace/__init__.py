"""What happened, as data: the one record that checks, numbers and pictures are functions of.

    events     the words of a run: one frozen class a verb, in the past tense
    trace      the entries in order, their digest, and the first difference of two traces
    about      what an entry tells of a message
    causality  which entries could have brought about which
    history    what the clients saw: sends that came out ok, fail or unknown, and polls
    codec      the file form: JSON lines with a version, read strictly
"""
