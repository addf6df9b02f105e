"""The leader epochs of a log, through LeaderEpochs; and truncation rounds, through Replica."""

from simulator.protocol.journal import Journal
from simulator.protocol.leader_epochs import LeaderEpochs
from tests.conformance import high_watermark


def cases(document):
    return [*document["cases"], *document.get("truncation_cases", [])]


def run(case, document):
    if "config" in case:
        return high_watermark.run(case, document)
    journal = Journal()
    epochs = LeaderEpochs(journal)
    for number, step in enumerate(case["steps"]):
        if step["op"] == "reload":
            epochs = LeaderEpochs(journal)
        got = _play(epochs, step) | {"entries": [list(entry) for entry in epochs.entries]}
        if got != step["expect"]:
            return f"step {number}, {step['op']}: expected {step['expect']}, got {got}"
    return None


def _play(epochs, step):
    match step:
        case {"op": "assign", "epoch": epoch, "offset": offset}:
            epochs.assign(epoch, offset)
        case {"op": "end_offset_for", "epoch": epoch, "leo": end}:
            known, end_offset = epochs.end_offset_for(epoch, end)
            return {"epoch": known, "end_offset": end_offset}
        case {"op": "truncate_from_end" | "truncate_from_start" as cut, "offset": offset}:
            getattr(epochs, cut)(offset)
        case {"op": "clear"}:
            epochs.clear()
        case {"op": "latest"}:
            return {"epoch": _or_undefined(epochs.latest)}
        case {"op": "previous" | "next" as neighbour, "epoch": epoch}:
            return {"epoch": _or_undefined(getattr(epochs, neighbour)(epoch))}
        case {"op": "epoch_for_offset", "offset": offset}:
            return {"epoch": _or_undefined(epochs.epoch_for_offset(offset))}
    return {}


def _or_undefined(epoch):
    return -1 if epoch is None else epoch
