"""What a name of an event says: something has happened, or somebody is to do something.

A business event is named in the past tense: OrderCreated, PaymentAuthorized, MailSent. A name that
begins with an order (SendEmail), or that only says that one was given (SendEmailRequested: a
"passive-aggressive command", as Martin Fowler calls it), is a command.
"""

import re

_VERBS = """
    add apply approve assign authorize book bill calculate cancel capture change charge check
    close commit compensate complete confirm create debit credit decline delete deliver do
    dispatch execute fetch finish generate get invoice issue make move notify open pay place
    prepare print process publish put query refund register reject release remove request
    reserve retry return run save schedule send set settle ship start stop store submit sync
    transfer trigger update validate verify withdraw write
"""
VERBS = frozenset(_VERBS.split())
# Participles that do not end with -ed.
_DONE = """
    begun bought broken built chosen cut done found given gone held kept known left lost made
    met paid put read run said sent set shown shut sold spent split taken told understood won
    withdrawn written
"""
DONE = frozenset(_DONE.split())
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(name: str) -> list[str]:
    """The words of SendEmail, send-email, com.shop.send_email.v2 (its last part that has any)."""
    parts = [part for part in name.split(".") if not re.fullmatch(r"v?\d+", part)]
    return [word.lower() for word in _WORDS.findall(parts[-1] if parts else name)]


def is_command(name: str) -> bool:
    """Whether a name tells somebody to act."""
    words = words_of(name)
    if len(words) < 2 or words[0] not in VERBS:
        return False
    last = words[-1]
    if last == "requested":
        return True
    return not (last.endswith("ed") or last in DONE)
