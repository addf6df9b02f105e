"""A node's disk: journals by name, and what each kind of failure leaves of them.

process  The process died, the machine did not: the page cache is written out, all stays.
power    The machine died: what was not flushed is gone; the write at the edge may be torn, and
         a torn write is found by its checksum and cut off when the journal is recovered.
disk     Everything is gone.

Not modelled: full disks, slow disks, silent corruption, the file system's own metadata.
"""

from typing import Literal

from simulator.protocol.journal import Journal

CrashMode = Literal["process", "power", "disk"]


class Disk:
    """Journals that outlive the node's incarnations."""

    def __init__(self) -> None:
        self._journals: dict[str, Journal] = {}

    def journal(self, name: str) -> Journal:
        """The journal of that name; an empty one when there is none."""
        found = self._journals.get(name)
        if found is None:
            found = self._journals[name] = Journal(name)
        return found

    def names(self) -> tuple[str, ...]:
        """All journals, in the order in which they were made."""
        return tuple(self._journals)

    def crash(self, mode: CrashMode, *, torn: bool = False) -> None:
        """Keep what this kind of failure keeps; `torn`: the write at the edge is half there."""
        for journal in self._journals.values():
            if mode == "disk":
                journal.lose_disk()
            elif mode == "power":
                journal.lose_power(torn=torn)
