"""Who holds which lock of a store, who waits for it, and who waits in a circle.

Rule 1: first come, first served: whoever asks for a lock stands behind all who wait for it already,
unless they hold a part of it themselves.
Rule 2: a lock is exclusive, or shared by those who do not exclude each other (writers of a table,
whom only a lock on the whole table keeps out). Asking for what one has costs nothing.
Rule 3: whoever would wait for somebody who waits for him, over any number of others, is refused at
once (`deadlock_detected`): the request that closes the circle is the one that loses.

PostgreSQL looks for a circle only when somebody has waited for deadlock_timeout (1 s), and refuses
him: mostly whoever waited first. Here it is found at once, so that no run waits for it.

Source: PostgreSQL's lock.c, deadlock.c; chapter "Explicit Locking" of its manual.

Not modelled: deadlock_timeout, lock modes besides EXCLUSIVE, ROW EXCLUSIVE and ROW SHARE of tables
and FOR UPDATE of rows, wait queues that are reordered to undo a soft deadlock.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

Resource = tuple[Any, ...]  # ("row", table, key), ("table", table), ("advisory", name) ...


class Owner(Protocol):
    """A transaction; or a session, which owns the advisory locks that outlive transactions."""

    @property
    def session(self) -> Any:
        """Whose it is; a session's is itself. Its advisory locks do not keep these out."""


class _Lock:
    """One lock: its holders, and those who wait."""

    __slots__ = ("holders", "queue")

    def __init__(self) -> None:
        self.holders: dict[Any, bool] = {}  # owner -> whether it shares it
        self.queue: deque[tuple[Any, bool]] = deque()


class Locks:
    """All locks that somebody holds.

    Attributes:
        held: by what is locked; empty when nobody holds anything.
    """

    __slots__ = ("_of", "_waits", "held")

    def __init__(self) -> None:
        self.held: dict[Resource, _Lock] = {}
        self._of: dict[Any, dict[Resource, None]] = {}  # owner -> what it holds
        self._waits: dict[Any, Resource] = {}

    def holder(self, resource: Resource) -> Any:
        """Who holds a lock exclusively; None: nobody."""
        lock = self.held.get(resource)
        if lock is not None:
            for owner, shared in lock.holders.items():
                if not shared:
                    return owner
        return None

    def of(self, owner: Owner) -> dict[Resource, None]:
        """What an owner holds."""
        return self._of.get(owner, {})

    def is_free(self, owner: Owner, resource: Resource, *, shared: bool = False) -> bool:
        """Whether an owner would get a lock without waiting."""
        lock = self.held.get(resource)
        return lock is None or _may_have(lock, resource, owner, shared=shared)

    def take(self, owner: Owner, resource: Resource, *, shared: bool = False) -> bool:
        """Take a lock that is free for this owner; whether it was."""
        lock = self.held.get(resource)
        if lock is None:
            lock = self.held[resource] = _Lock()
        elif not _may_have(lock, resource, owner, shared=shared):
            return False
        lock.holders[owner] = shared and lock.holders.get(owner, True)
        self._of.setdefault(owner, {})[resource] = None
        return True

    def wait(self, owner: Owner, resource: Resource, *, shared: bool = False) -> None:
        """Stand in line for a lock that was not to be had; ahead, if a part of it is one's own."""
        queue = self.held[resource].queue
        if owner in self.held[resource].holders:
            queue.appendleft((owner, shared))
        else:
            queue.append((owner, shared))
        self._waits[owner] = resource

    def waits(self, owner: Owner) -> Resource | None:
        """What an owner waits for."""
        return self._waits.get(owner)

    # --- Circles -------------------------------------------------------------------------------

    def _blockers(self, owner: Owner) -> Iterator[Any]:
        """Those whom a waiting owner waits for: holders, and who stands before it in the line."""
        resource = self._waits[owner]
        lock = self.held[resource]
        shared = next(shared for one, shared in lock.queue if one is owner)
        for other, shares in lock.holders.items():
            if not (shared and shares) and not _are_one(resource, owner, other):
                yield other
        for other, shares in lock.queue:
            if other is owner:
                return
            if not (shared and shares):
                yield other

    def circle(self, owner: Owner) -> list[Any]:
        """Those who wait for each other, from a waiting owner round to itself; empty: no circle."""
        paths: list[tuple[Any, tuple[Any, ...]]] = [(owner, (owner,))]
        seen: dict[Any, bool] = {owner: True}
        while paths:
            one, path = paths.pop()
            for blocker in self._blockers(one):
                for waiting in self.waiting_of(blocker):
                    if waiting is owner:
                        return list(path)
                    if waiting not in seen:
                        seen[waiting] = True
                        paths.append((waiting, (*path, waiting)))
        return []

    def waiting_of(self, owner: Owner) -> list[Any]:
        """An owner if it waits; of a session, those of its transactions that do."""
        if owner.session is owner:
            return [one for one in self._waits if one.session is owner]
        return [owner] if owner in self._waits else []

    # --- Giving back -----------------------------------------------------------------------------

    def release(self, owner: Owner, resource: Resource) -> list[Any]:
        """Give one lock back; the answer is who got it, in their order."""
        self._of[owner].pop(resource)
        if not self._of[owner]:
            del self._of[owner]
        lock = self.held[resource]
        del lock.holders[owner]
        return self._pass_on(resource, lock)

    def release_all(self, owner: Owner) -> list[Any]:
        """Give everything back that an owner holds, and wait no more; who got something."""
        granted = self.withdraw(owner)
        for resource in tuple(self._of.get(owner, ())):
            granted += self.release(owner, resource)
        return granted

    def withdraw(self, owner: Owner) -> list[Any]:
        """Stand in line no more; the answer is who gets a lock for that."""
        resource = self._waits.pop(owner, None)
        if resource is None:
            return []
        lock = self.held[resource]
        lock.queue = deque(one for one in lock.queue if one[0] is not owner)
        return self._pass_on(resource, lock)

    def _pass_on(self, resource: Resource, lock: _Lock) -> list[Any]:
        """Give a lock to those first in line who may have it now."""
        granted = []
        while lock.queue:
            owner, shared = lock.queue[0]
            if any(
                not (shared and shares) and not _are_one(resource, owner, other)
                for other, shares in lock.holders.items()
            ):
                break
            lock.queue.popleft()
            del self._waits[owner]
            lock.holders[owner] = shared and lock.holders.get(owner, True)
            self._of.setdefault(owner, {})[resource] = None
            granted.append(owner)
        if not lock.holders:
            assert not lock.queue, "the first in line gets what nobody holds"
            del self.held[resource]
        return granted


def _are_one(resource: Resource, owner: Owner, other: Owner) -> bool:
    """Whether a lock that one of them has keeps the other from nothing."""
    if other is owner:
        return True
    # A session and each of its transactions; not two of them, which a pool would keep apart.
    return resource[0] == "advisory" and (other is owner.session or owner is other.session)


def _may_have(lock: _Lock, resource: Resource, owner: Owner, *, shared: bool) -> bool:
    has = False
    for other, shares in lock.holders.items():
        if _are_one(resource, owner, other):
            has = True
        elif not (shared and shares):
            return False
    return has or all(shared and shares for _, shares in lock.queue)
