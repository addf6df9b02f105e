"""Where a transactional producer is between its transactions, and what may follow what.

Source: TransactionManager.java (State.isTransitionValid). UNINITIALIZED follows nothing here: that
is for producers without a transactional.id, whose producer id is used up.
"""

from collections.abc import Mapping
from enum import Enum


class State(Enum):
    """Where a producer is between its transactions."""

    UNINITIALIZED = "UNINITIALIZED"
    INITIALIZING = "INITIALIZING"
    READY = "READY"
    IN_TRANSACTION = "IN_TRANSACTION"
    COMMITTING_TRANSACTION = "COMMITTING_TRANSACTION"
    ABORTING_TRANSACTION = "ABORTING_TRANSACTION"
    ABORTABLE_ERROR = "ABORTABLE_ERROR"
    FATAL_ERROR = "FATAL_ERROR"


OPEN, READY, FATAL = State.IN_TRANSACTION, State.READY, State.FATAL_ERROR
COMMITTING, ABORTING = State.COMMITTING_TRANSACTION, State.ABORTING_TRANSACTION
ABORTABLE, INITIALIZING = State.ABORTABLE_ERROR, State.INITIALIZING

# What may follow what, besides FATAL_ERROR, which may follow anything (isTransitionValid).
TRANSITIONS: Mapping[State, tuple[State, ...]] = {
    State.UNINITIALIZED: (INITIALIZING,),
    INITIALIZING: (READY, ABORTABLE),
    READY: (OPEN, State.UNINITIALIZED),
    OPEN: (COMMITTING, ABORTING, ABORTABLE),
    COMMITTING: (READY, INITIALIZING, ABORTABLE),
    ABORTING: (READY, INITIALIZING),
    ABORTABLE: (ABORTING, ABORTABLE, State.UNINITIALIZED),
    FATAL: (),
}
