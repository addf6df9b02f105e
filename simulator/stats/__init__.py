"""Numbers that know their error: every estimate has an interval, every comparison may say no.

    special      functions of mathematics: the incomplete beta, quantiles of normal and t
    intervals    bounds for a proportion: Wilson, Clopper-Pearson, nothing seen
    estimate     Estimate: a number with its interval
    proportions  shares of runs, and shares of events when the runs are the independent units
    means        the mean of one number a run
    quantiles    latencies, by order statistics
    bootstrap    resampling whole runs, by a generator of its own
    paired       differences under common random numbers
    compare      more, less or cannot tell; Holm's correction for many comparisons
    stopping     how many runs, and what looking early costs

Everything is pure and needs the standard library alone, so that it also runs in a browser.
"""
