"""What sagas promise each other, as a check: nobody builds on what is then taken back.

What has moved a resource is in its row of `resources`, and a refusal for want of it is a row of
`refused`; see `saga_checks` for the other words of the trace.
"""

from typing import Any

from models.patterns.sagas.saga import DO, UNDO
from models.patterns.sagas.saga_checks import parts
from simulator import Cases, Check, Watching


def _undisturbed() -> Watching:
    free: dict[str, int] = {}
    pending: dict[str, dict[str, int]] = {}  # resource -> the sagas that reserved of it
    acted: list[tuple[str, str, str, int]] = []  # on whose, who, resource, seq
    cases, reached = Cases(), 0

    def acts(saga: str, name: str, seq: int) -> None:
        acted.extend((other, saga, name, seq) for other in pending.get(name, ()) if other != saga)

    def on_applied(entry: Any) -> None:
        nonlocal reached
        _, table, key, value, _ = entry[4]
        if table == "refused":
            acts(parts(key)[0], value, entry[0])
        elif table == "resources":
            saga, _, verb = parts(value.by)
            before = free.get(key)
            free[key] = value.free
            reached += bool(value.waiting) or any(one != saga for one in pending.get(key, ()))
            if verb == DO and value.free != before and (before is not None or not value.waiting):
                acts(saga, key, entry[0])
                pending.setdefault(key, {})[saga] = entry[0]
            elif verb == UNDO:
                pending.get(key, {}).pop(saga, None)
                for other, who, name, seq in acted:
                    if (other, name) == (saga, key):
                        said = f"{who} acted on {name} as {other} had left it, who then undid that"
                        cases.add(said, (seq, entry[0]))

    return Watching(
        {"effect_applied": on_applied}, lambda: cases.verdict("undisturbed", reached)
    )


undisturbed = Check(
    "undisturbed", "Nobody acts on what a saga has reserved and then gives back.", _undisturbed
)
