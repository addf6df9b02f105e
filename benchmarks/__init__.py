"""How fast the simulator is, as ratios: `python -m benchmarks`.

    measuring   a case, its rounds, the median of what they gave
    kernel      the kernel's events against SimPy's own
    imports     what `from simulator import ...` costs against `import simpy`
    logs        a poll of a long log against a poll of a short one
    memory      what a log keeps of a record besides its key and value
    clusters    messages through a whole cluster, and a cluster with nothing to do
    groups      large groups: a rebalance, and members with nothing to do
    crash       fifty messages and a crash; peers/ runs the same on other tools, beside it
    searching   schedules of machines alone, by the second
    properties  the share of the raw rate that is left under Hypothesis
    histories   a history of a million operations, in seconds and megabytes
    event_sourcing  appending to an event store, and replay; peers/ runs the same, too
    __main__    the command

An absolute rate says as much of the machine as of the program, so most numbers are ratios of
two things that were run in turn. Time is CPU time: other programs run here too.
"""
