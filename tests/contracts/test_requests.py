"""A registry is what it was told: given the same changes again, it gives the same answers."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.contracts.levels import Level
from simulator.contracts.registry import NotFound, Registered, Registry
from simulator.contracts.requests import (
    CheckSchemaRequest,
    DeleteVersionRequest,
    FindSchemaRequest,
    LatestSchemaRequest,
    RegisterSchemaRequest,
    SchemaRequest,
    SetLevelRequest,
    respond,
)
from tests.laws.schemas import chains

SCHEMAS = chains(4).map(lambda chain: [one.schema for one in chain])
subjects = st.sampled_from(("orders-value", "refunds-value"))


@st.composite
def conversations(draw):
    """Requests about a few schemas, in any order."""
    schemas = st.sampled_from(draw(SCHEMAS))
    versions = st.integers(1, 4)
    requests = st.one_of(
        st.builds(RegisterSchemaRequest, subjects, schemas),
        st.builds(CheckSchemaRequest, subjects, schemas),
        st.builds(FindSchemaRequest, subjects, schemas),
        st.builds(SchemaRequest, versions),
        st.builds(LatestSchemaRequest, subjects),
        st.builds(SetLevelRequest, st.sampled_from(Level), st.none() | subjects),
        st.builds(DeleteVersionRequest, subjects, versions, st.booleans()),
    )
    return draw(st.lists(requests, max_size=12))


@given(conversations())
def test_what_changed_a_registry_makes_it_again(requests):
    registry = Registry()
    facts = [one for one in requests if respond(registry, one)[1]]
    again = Registry()
    for fact in facts:
        respond(again, fact)

    questions = [SchemaRequest(number) for number in range(1, 6)]
    questions += [LatestSchemaRequest(one) for one in ("orders-value", "refunds-value")]
    asked = [*questions, *(one for one in requests if isinstance(one, CheckSchemaRequest))]
    assert [respond(again, one) for one in asked] == [respond(registry, one) for one in asked]


@given(conversations())
def test_an_id_never_means_another_schema(requests):
    registry, meant = Registry(), {}
    for request in requests:
        answer, _ = respond(registry, request)
        if isinstance(request, RegisterSchemaRequest) and isinstance(answer, Registered):
            assert meant.setdefault(answer.schema_id, request.schema) == request.schema
        for schema_id, schema in meant.items():
            assert registry.schema(schema_id) in (schema, NotFound(f"schema {schema_id}"))


@given(conversations())
def test_a_question_changes_nothing(requests):
    registry = Registry()
    for request in requests:
        before = [registry.schema(number) for number in range(1, 6)], registry.subjects()
        _, changed = respond(registry, request)
        if not changed and not isinstance(request, SetLevelRequest):
            assert before == (
                [registry.schema(number) for number in range(1, 6)], registry.subjects()
            )  # fmt: skip
