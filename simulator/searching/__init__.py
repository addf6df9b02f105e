"""Searches: from "it failed once" to the smallest story, a probability, or a proof.

    properties  what is asked of a run: a check, its name, several, or a function of the trace
    explore     many runs by a portfolio: what fails, how it is had again, how findable it is
    found       what exploring came to
    timed       faults at a time, where a search may add them
    rare        how probable a failure is that hardly ever happens
    causality   how probable the failure was after each choice that led to it


Over a declared scope, all its schedules:

    smallest    the counterexample with the fewest faults, then the smallest workload
    finishing   a failing run, made as small as it can be, and certified
    prove       a bounded proof, or a counterexample
    exact       exact probabilities, and those of what follows a prefix
    schedules   what a schedule is, and a counterexample
    staging     the runs of a search, and what is alike among them
    footprints  which choices commute: the happens-before cache
    machines    orders of messages between machines alone, without a world
    producing   such a system: a partition and an idempotent producer

None needs Hypothesis; whoever has it finds the same runs through `simulator.testing`.
"""
