"""How far a connector has come: the offset that it stores, and which acknowledgements allow it.

Rule 1: an offset names the last transaction that was told wholly (`done`), and, if the next one
was told in part, that one (`lsn`) and how many of its changes were told (`events`). A restart
reads from `done` on, and skips so many of them. A transaction's changes share one LSN, so an LSN
alone cannot say where in it one stood (debezium/debezium#7531, #4152).
Rule 2: the slot is confirmed up to `done`, never further: what lies behind may be needed again.
Rule 3: an offset is stored once its record is acknowledged, and all before it (Connect's
SubmittedRecords.java). Records of several topics are acknowledged in any order.
Rule 4: an unfinished snapshot, and an incremental one, are part of the offset.

Not modelled: LSNs within a transaction, and the offset's ts_usec.
"""

import json
from collections import deque
from typing import Any

import attrs

IN_ORDER = "in order"
ANY_ORDER = "any order"


@attrs.frozen
class Incremental:
    """An incremental snapshot that is under way.

    Attributes:
        tables: to be read, the first of them now.
        last: the primary key up to which the first has been told; None: nothing of it.
        most: the largest primary key when it began; None is not known yet.
    """

    tables: tuple[str, ...]
    last: Any = None
    most: Any = None


@attrs.frozen
class Offset:
    """A place in the write-ahead log.

    Attributes:
        done: the LSN of the last transaction that was told wholly.
        lsn: of the one that was told last, in part or wholly.
        events: how many changes of it were told; 0 if wholly.
        xid: its id.
        snapshotting: the initial snapshot is not complete: a restart makes a new one.
        incremental: an incremental snapshot under way.
    """

    done: int = 0
    lsn: int = 0
    events: int = 0
    xid: int = 0
    snapshotting: bool = False
    incremental: Incremental | None = None

    @property
    def place(self) -> tuple[int, int, int]:
        """By which offsets are ordered."""
        return (self.done, self.lsn, self.events)

    def to_json(self) -> str:
        """As it lies in Connect's topic of offsets."""
        found: dict[str, Any] = {
            "lsn_commit": self.done,
            "lsn": self.lsn,
            "events": self.events,
            "txId": self.xid,
        }
        if self.snapshotting:
            found["snapshot"] = "INITIAL"
        if self.incremental is not None:
            found["incremental_snapshot_collections"] = list(self.incremental.tables)
            found["incremental_snapshot_primary_key"] = self.incremental.last
            found["incremental_snapshot_maximum_key"] = self.incremental.most
        return json.dumps(found)


def read_offset(text: str) -> Offset:
    """The offset that `to_json` wrote."""
    found = json.loads(text)
    incremental = None
    if "incremental_snapshot_collections" in found:
        incremental = Incremental(
            tuple(found["incremental_snapshot_collections"]),
            found["incremental_snapshot_primary_key"],
            found["incremental_snapshot_maximum_key"],
        )
    return Offset(
        found["lsn_commit"],
        found["lsn"],
        found["events"],
        found["txId"],
        "snapshot" in found,
        incremental,
    )


class Acknowledgements:
    """Which offset may be stored, after which records were acknowledged.

    Args:
        order: "in order" stores the last before which nothing is open; "any order" the furthest
            of those acknowledged, which loses the open ones at a crash (yugabyte-db#33126).
    """

    def __init__(self, order: str = IN_ORDER) -> None:
        self._order = order
        self._open: deque[list[Any]] = deque()  # [number, offset, whether it is acknowledged]
        self._by_number: dict[int, list[Any]] = {}
        self.last: Offset | None = None  # What may be stored.

    def __len__(self) -> int:
        return len(self._by_number)

    def sent(self, number: int, offset: Offset) -> None:
        """A record was handed over; numbers grow."""
        entry = [number, offset, False]
        self._open.append(entry)
        self._by_number[number] = entry

    def acknowledged(self, number: int) -> None:
        """A record lies in its topic."""
        entry = self._by_number.pop(number)
        entry[2] = True
        if self._order == ANY_ORDER:
            known = self.last
            if known is None or known.place <= entry[1].place:
                self.last = entry[1]
        while self._open and self._open[0][2]:
            first = self._open.popleft()
            if self._order == IN_ORDER:
                self.last = first[1]
