"""docs/openapi.yaml, and whether what the service says fits it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/openapi.yaml"
SPEC: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
SCHEMAS: dict[str, Any] = SPEC["components"]["schemas"]
REGISTRY: Registry[Any] = Registry().with_resource("urn:callverify", DRAFT202012.create_resource(SPEC))


def violations(instance: Any, schema: Any) -> list[str]:
    if "$ref" in schema:
        schema = {**schema, "$ref": f"urn:callverify{schema['$ref']}"}
    else:
        schema = {"$id": "urn:here", **json.loads(json.dumps(schema).replace('"#/', '"urn:callverify#/'))}
    checker = Draft202012Validator(schema, registry=REGISTRY, format_checker=FormatChecker())
    return [error.message for error in checker.iter_errors(instance)]


def violations_of(instance: Any, name: str) -> list[str]:
    return violations(instance, {"$ref": f"#/components/schemas/{name}"})
