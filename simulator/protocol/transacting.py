"""How a transactional producer's batches and its requests to coordinators go together.

1. Requests share the connections, and the bound on requests in flight, with batches.
2. What is not numbered yet is dropped when the transaction must be, or is being, aborted. What is
   numbered is sent until its fate is known, or it expires: a later transaction would stumble over
   it otherwise. After a fatal error everything is dropped.
3. A close aborts what is open, when its records have ended.

Sources: Sender.java (runOnce, run), RecordAccumulator.java (abortUndrainedBatches).
"""

from simulator.protocol.accumulator import Destination, Flush
from simulator.protocol.admission import Admission
from simulator.protocol.dispatch import Dispatch
from simulator.protocol.names import NO_SEQUENCE
from simulator.protocol.producer_settings import ProducerSettings
from simulator.protocol.sending_effects import Effect, Outgoing, Transmit
from simulator.protocol.transaction_manager import TransactionManager
from simulator.protocol.transaction_states import ABORTING, FATAL
from simulator.protocol.whereabouts import Whereabouts

ABORTED = ("TRANSACTION_ABORTED", "the transaction was aborted before the record was sent")


class Transacting:
    """The part of a producer's client that only a transactional one has.

    Attributes:
        closing: who waits until the open transaction has ended.
    """

    __slots__ = (
        "_admission",
        "_dispatch",
        "_most_in_flight",
        "_where",
        "closing",
        "manager",
    )

    def __init__(
        self,
        settings: ProducerSettings,
        dispatch: Dispatch,
        where: Whereabouts,
        admission: Admission,
        version: int,
    ) -> None:
        assert dispatch.ids is not None, "transactions need idempotence"
        self._dispatch = dispatch
        self._where = where
        self._admission = admission
        self._most_in_flight = settings.max_in_flight_requests_per_connection
        self.closing: list[Flush] = []
        self.manager = TransactionManager(settings, dispatch.ids, self._tell, version)
        dispatch.transaction = self.manager

    def _tell(self, effect: Effect) -> None:
        self._dispatch.effects.append(effect)

    def run(self, now_us: int, destinations: list[Destination]) -> bool:
        """Ask what is to be asked now; whether that waits for a broker to answer another."""
        manager, dispatch = self.manager, self._dispatch
        assert dispatch.ids is not None
        manager.tick(now_us)
        dispatch.ids.settle()  # Before the end is asked for: it may need another epoch.
        self._drop(destinations)

        def incomplete() -> bool:
            return bool(self._admission.waiting or dispatch.unfinished(destinations))

        open_still = self.closing and manager.ongoing and manager.asking.at_rest
        if open_still and not incomplete():
            manager.close()
        waits = False
        request = manager.asking.next(incomplete, now_us)
        if request is not None:
            target = self._target(manager.asking.coordinators.get(request.coordinator))
            waits = target is None or target.in_flight >= self._most_in_flight
            if target is not None and not waits:
                manager.asking.sent()
                target.in_flight += 1
                outgoing = Outgoing(target, [], for_transaction=True)
                dispatch.effects.append(Transmit(target.name, request.body, outgoing))
        self._drop(destinations)
        if self.closing and not manager.ongoing:
            dispatch.count_down(self.closing)
            self.closing = []
        dispatch.held = manager.asking.busy
        return waits

    def _target(self, name: str | None) -> Destination | None:
        if name is None:
            return self._where.least_loaded(self._most_in_flight)
        return self._where.brokers.setdefault(name, Destination(name))

    def _drop(self, destinations: list[Destination]) -> None:
        """Give up what will not be sent."""
        manager = self.manager
        why = manager.failure
        if why is None and manager.state is not ABORTING:
            return
        name, detail = ABORTED if why is None else (why.name, why.detail)
        doomed = [
            batch
            for batch in self._dispatch.unfinished(destinations)
            if manager.state is FATAL or batch.base_sequence == NO_SEQUENCE
        ]
        self._admission.give_up(doomed, name, detail)

    def answered(self, outgoing: Outgoing, body: object) -> None:
        """A coordinator, or whoever was asked for one, has answered, or will not."""
        assert outgoing.for_transaction
        self._where.wanted = self._where.wanted or body is None
        self.manager.asking.answered(body)
        self._dispatch.stirred = True
