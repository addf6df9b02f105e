"""What one would take instead, measured in the same run and on the same scenario.

1. Peers live in environments of their own, for their needs clash with each other's; a script here
   is run by the peer's Python, and prints the seconds of its runs as JSON.
2. Whoever is absent is said to be absent. No test and no continuous integration needs them.
3. The scenario is that of `benchmarks.crash`, as far as a peer can have it; where it cannot, its
   script says so.
"""
