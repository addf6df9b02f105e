"""A node's disk: journals by name, and what each kind of failure leaves of them.

process  The process died, the machine did not: the page cache is written out, all stays.
power    The machine died: of what was not flushed, the writes of the last half minute are gone
         (the operating system has written older ones back by then); the write at the edge may be
         torn, and a torn write is found by its checksum and cut off when the journal is recovered.
disk     Everything is gone: a disk was lost, or the broker was replaced by a new one of its name.

Two choices leave more or less than that, and no law makes them, only a plan or a search:
`torn@node` (1: the write at the edge is half there) and `writeback@node` (1: the operating system
had just written everything back, so nothing is lost).

Not modelled: full disks, slow disks, silent corruption, the file system's own metadata.
"""

from typing import Literal

from simulator.protocol.journal import WRITTEN_BACK_AFTER_US, Journal

CrashMode = Literal["process", "power", "disk"]


class Disk:
    """Journals that outlive the node's incarnations.

    Attributes:
        written_back_after_us: how long a write stays in the page cache alone; None: until it is
            flushed, so that a power loss takes everything that was not.
    """

    def __init__(self) -> None:
        self._journals: dict[str, Journal] = {}
        self.written_back_after_us: int | None = WRITTEN_BACK_AFTER_US

    def journal(self, name: str) -> Journal:
        """The journal of that name; an empty one when there is none."""
        found = self._journals.get(name)
        if found is None:
            found = self._journals[name] = Journal(name)
        return found

    def names(self) -> tuple[str, ...]:
        """All journals, in the order in which they were made."""
        return tuple(self._journals)

    @property
    def dirty(self) -> bool:
        """Whether anything was written that was not flushed."""
        return any(journal.flushed < len(journal.facts) for journal in self._journals.values())

    def crash(
        self,
        mode: CrashMode,
        now_us: int = 0,
        *,
        torn: bool = False,
        written_back: bool = False,
    ) -> None:
        """Keep what this kind of failure keeps.

        Args:
            mode: what failed.
            now_us: what the node's clock shows.
            torn: of a power loss: the write at the edge is half there.
            written_back: of a power loss: everything had been written back a moment before.
        """
        after_us = self.written_back_after_us
        for journal in self._journals.values():
            if mode == "disk":
                journal.lose_disk()
            elif mode == "power" and written_back:
                journal.flush()
            elif mode == "power":
                spared = 0 if after_us is None else journal.written_back(now_us, after_us)
                journal.lose_power(spared, torn=torn)
