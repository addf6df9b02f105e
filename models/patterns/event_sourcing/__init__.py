"""Event sourcing: the log of what happened is the state; everything else is derived."""
