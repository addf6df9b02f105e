"""A store's sessions driven by hand: who asks, who waits, and what was answered meanwhile."""

from simulator.protocol import store_messages as sm
from simulator.protocol.journal import Journal
from simulator.protocol.machine import CancelTimer, Reply, Request, SetTimer
from simulator.protocol.messages import TransactRequest
from simulator.protocol.store import Store
from simulator.protocol.store_sessions import Sessions
from simulator.protocol.store_settings import store_settings

WAITS = "waits"


class Database:
    """One store, and named sessions at it; what is asked is answered, or WAITS.

    Attributes:
        answers: of each session what it was answered, oldest first.
        events: of the trace.
        timers: those that are set, by name.
    """

    def __init__(self, journal=None, *, unique=None, **settings):
        self.journal = Journal() if journal is None else journal
        self.unique = unique
        self.store = Store(self.journal, unique=unique)
        self.sessions = Sessions(self.store, store_settings(settings))
        self.now_us = 0
        self.answers, self.events, self.timers = {}, [], {}
        self._open, self._numbers, self._statements = {}, {}, {}

    # --- What sessions ask ---------------------------------------------------------------------

    def transact(self, who, *operations, event_id="e"):
        """A transaction in one request; by one step where that is enough, as a node does it."""
        request = Request((who, None), TransactRequest(operations, event_id))
        if not self.sessions.held:
            step = self.store.decide(request, self.now_us)
            if step is not None:
                for fact in step.facts:
                    self.store.apply(fact)
                    self.journal.flush()
                    self._carry_out(self.sessions.slots.committed(fact))
                return self._short(step.effects[0].body)
        return self._ask(who, request.body)

    def at_once(self, *operations):
        self._carry_out(
            self.sessions.at_once(Request(("plain", None), TransactRequest(operations)), 0)
        )
        return self._short(self.answers["plain"][-1])

    def begin(self, who, isolation="", snapshot=""):
        self._numbers[who] = self._numbers.get(who, 0) + 1
        self._statements[who] = 0
        return self._ask(who, sm.StoreBeginRequest(self._numbers[who], isolation, snapshot))

    def run(self, who, *operations, event_id="e"):
        self._statements[who] += 1
        number, statement = self._numbers[who], self._statements[who]
        return self._ask(who, sm.StoreRunRequest(number, statement, operations, event_id))

    def commit(self, who):
        return self._ask(who, sm.StoreCommitRequest(self._numbers[who]))

    def rollback(self, who):
        return self._ask(who, sm.StoreRollbackRequest(self._numbers[who]))

    def slot(self, who, body):
        return self._ask(who, body)

    def close(self, who):
        """The client is gone."""
        self._carry_out(self.sessions.close(self._open.pop(who), self.now_us))

    def time_up(self, name):
        del self.timers[name]
        self._carry_out(self.sessions.time_up(name, self.now_us))

    def answer(self, who):
        """What a session was answered last, short."""
        return self._short(self.answers[who][-1])

    def rows(self, table):
        return self.store.rows(table)

    def restarted(self, **settings):
        """Another store on the same disk."""
        return Database(self.journal, unique=self.unique, **settings)

    # --- As a node does it ---------------------------------------------------------------------

    def session(self, who):
        if who not in self._open:
            self._open[who] = self.sessions.open(who)
        return self._open[who]

    def _ask(self, who, body):
        known = len(self.answers.setdefault(who, []))
        request = Request((who, known), body)
        self._carry_out(self.sessions.handle(self.session(who), request, self.now_us))
        if len(self.answers[who]) == known:
            return WAITS
        return self._short(self.answers[who][known])

    def _carry_out(self, outcomes):
        for facts, events, effects, flush in outcomes:
            for fact in facts:
                self.store.apply(fact)
            if facts or flush:
                self.journal.flush()
            self.events.extend(events)
            for effect in effects:
                match effect:
                    case Reply(to=(who, _), body=body):
                        self.answers.setdefault(who, []).append(body)
                    case SetTimer(name=name, least_us=least_us):
                        self.timers[name] = least_us
                    case CancelTimer(name=name):
                        self.timers.pop(name, None)

    @staticmethod
    def _short(body):
        """The results of what went well; else the status."""
        good = {"committed", "begun", "done", "rolled_back"}
        return body.results if body.status in good else body.status
