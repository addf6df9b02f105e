"""Read models: projections of a log, how far they are behind, and how they skip nothing."""
