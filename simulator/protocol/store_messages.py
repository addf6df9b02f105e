"""What a store's clients ask beyond a transaction in one request: sessions, and replication slots.

A session is a connection: it has one transaction at a time. Every answer has a status (or why it
is not so), results and a detail; `messages` has the transaction in one request.
"""

from typing import Any, NamedTuple


class StoreBeginRequest(NamedTuple):
    """Begin a transaction on this connection.

    Args:
        transaction: counts the connection's transactions, so that no begin counts twice.
        isolation: read committed, repeatable read or serializable; "": the store's default.
        snapshot: the name of an exported snapshot to read as of; "": its own.
    """

    transaction: int
    isolation: str = ""
    snapshot: str = ""
    event_id: str = ""


class StoreBeginResponse(NamedTuple):
    """status: begun, or why not."""

    status: str
    results: Any = ()
    detail: str = ""


class StoreRunRequest(NamedTuple):
    """Run `operations`, one after the other, in the connection's transaction.

    statement: counts the transaction's requests, so that none is run twice.
    """

    transaction: int
    statement: int
    operations: tuple[Any, ...]
    event_id: str = ""


class StoreRunResponse(NamedTuple):
    """status: done, or why the transaction was aborted; results: one an operation."""

    status: str
    results: Any = ()
    detail: str = ""


class StoreCommitRequest(NamedTuple):
    """Commit the connection's transaction."""

    transaction: int


class StoreCommitResponse(NamedTuple):
    """status: committed, or why it was rolled back; results: the log sequence number."""

    status: str
    results: Any = ()
    detail: str = ""


class StoreRollbackRequest(NamedTuple):
    """Roll the connection's transaction back."""

    transaction: int


class StoreRollbackResponse(NamedTuple):
    """status: rolled_back."""

    status: str
    results: Any = ()
    detail: str = ""


class CreateSlotRequest(NamedTuple):
    """Create a replication slot, and export the snapshot from which its log goes on."""

    name: str


class CreateSlotResponse(NamedTuple):
    """results: the slot."""

    status: str
    results: Any = ()
    detail: str = ""


class ReadSlotRequest(NamedTuple):
    """Read what was committed behind `after_lsn`; wait for it up to `timeout_ms`."""

    name: str
    after_lsn: int
    limit: int
    timeout_ms: int


class ReadSlotResponse(NamedTuple):
    """results: commits, in their order."""

    status: str
    results: Any = ()
    detail: str = ""


class ConfirmSlotRequest(NamedTuple):
    """Say that everything up to and with `lsn` is safe elsewhere."""

    name: str
    lsn: int


class ConfirmSlotResponse(NamedTuple):
    """results: what the slot has confirmed now."""

    status: str
    results: Any = ()
    detail: str = ""


class DropSlotRequest(NamedTuple):
    """Forget a slot, and what it retained."""

    name: str


class DropSlotResponse(NamedTuple):
    """status: dropped, or why not."""

    status: str
    results: Any = ()
    detail: str = ""


class ShowSlotRequest(NamedTuple):
    """Ask what a slot is (pg_replication_slots)."""

    name: str


class ShowSlotResponse(NamedTuple):
    """results: the slot's state, or None."""

    status: str
    results: Any = ()
    detail: str = ""
