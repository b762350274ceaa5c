"""The JSON Schema of a project file, for editors: made from its shape."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from crossdock.project.shape import ProjectFile

DIALECT = GenerateJsonSchema.schema_dialect


class _ForEditors(GenerateJsonSchema):
    """Says what may be written: no key may be empty, and a mapping has no entry with another name."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Give what stands there if the key is written at all."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Give the default only where it is one value; what is inside of a part says so itself."""
        given = super().default_schema(schema)
        if given.get("default") is None or isinstance(given["default"], dict | list):
            given.pop("default", None)
        return given

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Refuse names that are none."""
        given = super().dict_schema(schema)
        return given | {"additionalProperties": False} if "patternProperties" in given else given

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature is inherited
        """Leave out titles: they only repeat the keys."""
        return False


def project_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) that a project file fits."""
    made = ProjectFile.model_json_schema(schema_generator=_ForEditors)
    return {"$schema": DIALECT, "title": "A project of crossdock", **_untitled(made)}


def _untitled(schema: Any) -> Any:
    """Take out the titles that are names of classes."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _untitled(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}
