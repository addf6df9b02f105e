"""Contracts between those who write events and those who read them: schemas, and a registry.

    levels              what a registry asks of a new version, and of which old ones
    registry            subjects, versions, ids: registered, or refused with what would break
    requests            what a registry is asked over a network, and what it answers
    codecs              a datum as a framed value, and back
    contracts           one schema of any format against another: reasons, and a datum
    avro_types          the types of Avro         avro           a schema, parsed and checked
    avro_defaults       what a default may be     avro_reading   a datum under a reader's schema
    avro_compatibility  whether a reader reads all that a writer may write
    avro_breaking       a datum that breaks the reader
    json_types          a JSON Schema, taken apart
    json_validating     whether an instance is valid
    json_values         what changed in a text, a number, a list; the changes a policy allows
    json_difference     what changed between two schemas, and whether it may
    json_breaking       an instance that is valid for the one and not for the other
    protobuf            kinds of changes, and which of them are compatible

Everything here is a function of its input. Refusals are values; a schema that is none is BadInput.
"""
