"""A question asked of many runs: declared as a value, run on any executor, answered as a value.

    simulate     one run: a scenario, a chooser, its trace
    runs         one run of a study: simulated under a seed, judged as it happens
    measures     what one run tells: a share, a ratio, a truth, a number, latencies
    experiment   Experiment: question, factors, scenario, measures, promises, when to stop
    reference    where an experiment stands, so that a worker process can load it
    executors    many items on any concurrent.futures executor, with the same results
    progress     how far it has come, on a terminal
    replicate    every combination of factors under the same seeds
    analyse      rows of runs become estimates, comparisons and outcomes of promises
    results      Results: what came out, its exit code and its file

Only `simulate` and `runs` know of a world; the others would study anything that has a seed.
"""
