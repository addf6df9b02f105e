"""A circuit breaker: after so many failures in a row it is the service that is ill, not the record.

    retrying(breaking(handler, failures=5, every_us=1_000_000), policy, ...)

closed     every attempt is made, and each failure is the record's: its retries are spent on it
open       one attempt at a time, `every_us` apart, at the record at hand; what fails now is no
           record's fault, and costs none a retry; the first success closes it

Without it an outage empties the topic into the dead letters, as quickly as the retries allow. As
NServiceBus has it: Recoverability().OnConsecutiveFailures(5, RateLimitSettings(1 s)).

A permanent error says that the service is well. The state is the process's own: others find out by
themselves, and so does the next incarnation.
"""

from typing import Any

from models.patterns.retrying.wrapping import Factory, Handler, calling
from simulator import ConsumerRecord, Context, KafkaError

SECOND_US = 1_000_000


def breaking(
    factory: Factory,
    *,
    failures: int = 5,
    every_us: int = SECOND_US,
    permanent: tuple[type[KafkaError], ...] = (),
) -> Factory:
    """A handler that waits while its service is down.

    Args:
        failures: so many in a row, of whatever records, open it.
        every_us: the time between attempts while it is open.
        permanent: errors that are the record's own.
    """

    def breaking_factory(context: Context) -> Handler:
        handle = calling(context, factory(context))
        in_a_row = 0

        def call(record: ConsumerRecord) -> Any:
            nonlocal in_a_row
            while True:
                try:
                    yield from handle(record)
                except permanent:
                    in_a_row = 0
                    raise
                except KafkaError:
                    in_a_row += 1
                    if in_a_row < failures:
                        raise
                    if in_a_row == failures:
                        context.note("opened", record.event_id)
                    yield context.sleep(every_us)
                else:
                    if in_a_row >= failures:
                        context.note("closed", record.event_id)
                    in_a_row = 0
                    return

        return call

    return breaking_factory
