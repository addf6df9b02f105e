"""How long a client waits before it tries again: doubled each time, bounded, give or take 20 %.

A wait is asked for as a range; whoever drives the machine draws from it. Source:
ExponentialBackoff.java (KIP-580).
"""

JITTER_PERCENT = 20


def exponential_backoff(attempts: int, base_us: int, max_us: int) -> tuple[int, int]:
    """The range (least, most) of the wait after so many failed attempts, 0 being the first.

    A base that is not under the maximum makes a fixed wait, without jitter.
    """
    if base_us >= max_us:
        return max_us, max_us
    term_us = min(base_us << min(attempts, 40), max_us)
    spread_us = term_us * JITTER_PERCENT // 100
    return term_us - spread_us, min(term_us + spread_us, max_us)
