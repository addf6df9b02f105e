"""A store's settings, by PostgreSQL's names and with its defaults; 0 switches a limit off.

Not modelled: deadlock_timeout (a circle is found at once), statement_timeout, transaction_timeout,
idle_session_timeout, synchronous_commit (a commit is flushed before it is answered), the number of
probes and the time between them (tcp_keepalives_count, tcp_keepalives_interval).
"""

from collections.abc import Mapping
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.settings import parse_settings, whole

ISOLATIONS = ("read committed", "repeatable read", "serializable")

NOT_MODELLED = {
    "deadlock_timeout": "a circle of waiting transactions is found at once",
    "statement_timeout": "a statement takes no time but what it waits: lock_timeout",
    "synchronous_commit": "a commit is always flushed before it is answered",
}


def _isolation(_: Any, __: Any, value: Any) -> None:
    check_isolation(value)


def check_isolation(value: Any) -> None:
    """Raise BadInput if a store has no such isolation level."""
    if value not in ISOLATIONS:
        levels = ", ".join(ISOLATIONS)
        raise BadInput("there is no isolation level", "store", value, f"one of {levels}")


@attrs.frozen
class StoreSettings:
    """What can be set on a store.

    Args:
        default_transaction_isolation: of a transaction that does not say.
        lock_timeout: how long, in ms, a statement waits for one lock: then it is refused.
        idle_in_transaction_session_timeout: how long, in ms, an open transaction may ask for
            nothing: then its session is ended, and it is rolled back.
        client_connection_check_interval: how often, in ms, a statement that waits for a lock looks
            whether its client is still there. 0: it does not look, and waits, and goes on, before
            anybody notices that the client is gone.
        tcp_keepalives_idle: how long, in seconds, a connection is silent before the server asks
            whether there is anybody; 0 is the operating system's, 7 200. It is how a server learns
            of a client whose machine lost its power, or which a partition cut off.
        wal_sender_timeout: how long, in ms, a replication slot's reader may be silent before
            another may have the slot.
        max_slot_wal_keep_size: how much log, in bytes, slots may retain; -1: any amount. A slot
            that would need more is lost.

    Raises:
        BadInput: a value is not allowed.
    """

    default_transaction_isolation: str = attrs.field(
        default="read committed", validator=_isolation,
        metadata={"kafka": "default_transaction_isolation"},
    )  # fmt: skip
    lock_timeout: int = attrs.field(
        default=0, validator=whole(0), metadata={"kafka": "lock_timeout"}
    )
    idle_in_transaction_session_timeout: int = attrs.field(
        default=0, validator=whole(0), metadata={"kafka": "idle_in_transaction_session_timeout"}
    )
    client_connection_check_interval: int = attrs.field(
        default=0, validator=whole(0), metadata={"kafka": "client_connection_check_interval"}
    )
    tcp_keepalives_idle: int = attrs.field(
        default=0, validator=whole(0), metadata={"kafka": "tcp_keepalives_idle"}
    )
    wal_sender_timeout: int = attrs.field(
        default=60_000, validator=whole(0), metadata={"kafka": "wal_sender_timeout"}
    )
    max_slot_wal_keep_size: int = attrs.field(
        default=-1, validator=whole(-1), metadata={"kafka": "max_slot_wal_keep_size"}
    )


def store_settings(given: Mapping[str, Any], name: str = "store") -> StoreSettings:
    """The settings of a store.

    Raises:
        BadInput: a name is unknown or not modelled, or a value is not allowed.
    """
    return parse_settings(StoreSettings, given, not_modelled=NOT_MODELLED, where=name)
