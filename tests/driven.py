"""A machine driven by hand: exact timers, answers in order, and a disk that keeps hard facts."""

from collections.abc import Callable
from typing import Any

from simulator.protocol.machine import CancelTimer, Reply, Request, SetTimer, Step, Timer


class Driven:
    """Sends requests to a machine and lets virtual time pass; `hard` says what its disk keeps."""

    def __init__(self, build: Callable[[int], Any], hard: Callable[[Any], bool]) -> None:
        self.build, self.hard = build, hard
        self.now_us = 0
        self.lives = self.sent = 0
        self.disk: list[Any] = []
        self.facts: list[Any] = []  # All of them, of every life.
        self.start()

    def start(self) -> None:
        """Start the machine from its disk, as after a crash: timers and what waits are gone."""
        self.machine = self.build(self.lives)
        self.lives += 1
        self.timers: dict[Any, tuple[int, int]] = {}
        self.answers: list[tuple[Any, Any]] = []  # (request id, body), until they are taken.
        for fact in self.disk:
            self.machine.apply(fact)
        if hasattr(self.machine, "recover"):
            self.carry_out(self.machine.recover(self.now_us))

    def tell(self, message: Any) -> Step:
        """Let the machine decide, twice, and carry the decision out."""
        step = self.machine.decide(message, self.now_us)
        assert self.machine.decide(message, self.now_us) == step, "deciding changed something"
        self.carry_out(step)
        return step

    def carry_out(self, step: Step) -> None:
        for fact in step.facts:
            self.machine.apply(fact)
            self.facts.append(fact)
            if self.hard(fact):
                self.disk.append(fact)
        for effect in step.effects:
            match effect:
                case Reply(to, body):
                    self.answers.append((to, body))
                case SetTimer(name, least_us, most_us):
                    assert least_us == most_us
                    order = len(self.facts), len(self.timers)
                    self.timers[name] = (self.now_us + least_us, *order)
                case CancelTimer(name):
                    self.timers.pop(name, None)

    def ask(self, body: Any, client: str = "client") -> Any:
        """Send a request: its answer, or None while it waits (its number is then `self.sent`)."""
        self.sent += 1
        self.tell(Request(self.sent, body, client))
        return self.answer_to(self.sent)

    def answer_to(self, number: int) -> Any:
        """The answer to the request of that number, once; None if it has not come."""
        for index, (to, body) in enumerate(self.answers):
            if to == number:
                del self.answers[index]
                return body
        return None

    def wait(self, ms: int) -> None:
        """Let time pass; timers fire in order."""
        until_us = self.now_us + ms * 1_000
        while self.timers:
            name = min(self.timers, key=self.timers.__getitem__)
            at_us = self.timers[name][0]
            if at_us > until_us:
                break
            del self.timers[name]
            self.now_us = at_us
            self.tell(Timer(name))
        self.now_us = until_us
