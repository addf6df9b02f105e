"""Plain calls: answered in turn, lost without a trace, and carried out all the same."""

import pytest

from simulator import Add, Crash, Drop, FaultPlan, RequestTimedOut, Scenario, simulate

ANSWERS = {"twice": 4}


def calling(questions, told, *, server, timeout_ms=1_000, faults=()):
    """A run of a caller and a server; what the caller was told is put into `told`."""

    def application(cluster):
        cluster.store("ledger")
        cluster.server("server", server)

        def drive(node):
            context = cluster.context(node)
            for question in questions:
                try:
                    told.append((yield context.call("server", question, timeout_ms=timeout_ms)))
                except RequestTimedOut as error:
                    told.append(str(error))
                    yield node.sleep(2_000_000)  # It may be down.

        cluster.driver("caller", drive)

    return simulate(Scenario(application=application, faults=FaultPlan(tuple(faults))))


def plain(_):
    return lambda question: ANSWERS.get(question, question.upper())


def waiting(context):
    def answer(question):
        yield context.sleep(10_000)
        yield context.store("ledger").transact(Add("asked", question, 1))
        return question.upper()

    return answer


def test_a_call_gives_the_answer():
    told = []

    calling(["a", "twice"], told, server=plain)

    assert told == ["A", 4]


def test_a_server_may_wait_for_others():
    told = []

    trace = calling(["a"], told, server=waiting)

    assert told == ["A"]
    assert [entry[4][2] for entry in trace.flat if entry[4][0] == "effect_applied"] == ["a"]


def test_a_call_whose_answer_is_lost_was_carried_out():
    told = []

    trace = calling(
        ["a", "b"], told, server=waiting, faults=[Drop("server", "caller", "CallResponse")]
    )

    assert told == ["server gave no answer: whether it did what was asked is unknown", "B"]
    assert [entry[4][2] for entry in trace.flat if entry[4][0] == "effect_applied"] == ["a", "b"]


@pytest.mark.parametrize("server", [plain, waiting])
def test_a_server_that_crashes_before_it_answers_forgets_the_call(server):
    told = []

    calling(["a", "b"], told, server=server, faults=[Crash("server", "before_answer")],
            timeout_ms=3_000)  # fmt: skip

    assert told[0].startswith("server gave no answer")
    assert told[1] == "B"
