"""`make docs`: what the code knows into docs/openapi.yaml, and that as JSON and as a page into functions/serve_docs."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from callverify.domain.words import Method
from callverify.providers import registry
from callverify.providers.names import NAMES
from callverify.service.requests import on_their_own
from tools.render_docs.examples import LANGUAGES, Request, quick_start, receiving

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SOURCE = ROOT / "docs/openapi.yaml"
TARGET = ROOT / "functions/serve_docs"
# The function puts the address in that a request came to.
BASE_URL = "{BASE_URL}"
# A preflight is of least interest.
METHODS = ("get", "put", "post", "patch", "delete", "head", "options")
# The tags of what a customer's code calls. The others have an example in curl alone.
FOR_CUSTOMERS = ("verifications", "records", "events", "twilio-verify", "documents")
RANGES = (
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minProperties", "maxProperties", " members"),
    ("minimum", "maximum", ""),
)
JSON_TOKEN = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*")(?P<colon>:)?|(?P<word>\btrue\b|\bfalse\b|\bnull\b|-?\b\d+\b)')
MARKDOWN = MarkdownIt("commonmark", {"html": False})


class Reference:
    """What the template asks of an OpenAPI document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def follow(self, value: Any) -> Any:
        """What a `$ref` names, with what stands beside the `$ref`; anything else as it is."""
        while isinstance(value, dict) and "$ref" in value:
            target: Any = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            value = {**target, **{name: member for name, member in value.items() if name != "$ref"}}
        return value

    # Operations

    def tags(self) -> list[dict[str, Any]]:
        """The document's tags, each with its operations: preflights last, and before them files."""
        operations = sorted(self.operations(), key=lambda each: (each["method"] == "options", "{file}" in each["path"]))
        tags = [
            {**tag, "operations": [each for each in operations if tag["name"] in each["tags"]]}
            for tag in self.document["tags"]
        ]
        return [tag for tag in tags if tag["operations"]]

    def operations(self) -> Iterator[dict[str, Any]]:
        """Every operation, with the members that its path shares, and what a reader wants to know of it."""
        for kind in ("paths", "webhooks"):
            for path, item in self.document[kind].items():
                for method in [method for method in METHODS if method in item]:
                    operation = {"security": self.document["security"], **item[method]}
                    given = map(self.follow, (*item.get("parameters", []), *operation.get("parameters", [])))
                    # An operation's own parameter stands for the path's.
                    parameters = list({(each["in"], each["name"]): each for each in given}.values())
                    responses = {status: self.follow(each) for status, each in operation["responses"].items()}
                    yield {
                        **operation,
                        "kind": kind,
                        "path": path,
                        "method": method,
                        "parameters": parameters,
                        "responses": responses,
                        "codes": {status: self.codes(response) for status, response in responses.items()},
                        "requests": self.requests(path, method, parameters, operation)
                        if kind == "paths"
                        else [("", receiving())],
                        "answers": self.answers(responses),
                    }

    def requests(
        self, path: str, method: str, parameters: list[dict[str, Any]], operation: dict[str, Any]
    ) -> list[tuple[str, dict[str, str]]]:
        """(name, texts by language) for each example of a body, or one without."""
        query = []
        for parameter in parameters:
            value = sample(self.follow(parameter["schema"]), parameter)
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", value)
            elif parameter["in"] == "query" and parameter.get("required"):
                query.append(f"{parameter['name']}={value}")
        bodies = operation.get("requestBody", {}).get("content", {})
        kinds = {"body": "application/json", "form": "application/x-www-form-urlencoded"}
        sent = [
            (heading(name, example), {field: example["value"]})
            for field, kind in kinds.items()
            for name, example in bodies.get(kind, {}).get("examples", {}).items()
        ]
        request = Request(
            method,
            BASE_URL + path + ("?" + "&".join(query) if query else ""),
            scheme=next(iter(operation["security"][0])) if operation["security"] else None,
            idempotent=any(parameter["name"] == "Idempotency-Key" for parameter in parameters),
        )
        written = [(name, replace(request, **each).texts()) for name, each in sent or [("", {})]]
        if operation["tags"][0] in FOR_CUSTOMERS:
            return written
        return [(name, {"curl": texts["curl"]}) for name, texts in written]

    def answers(self, responses: dict[str, Any]) -> list[tuple[str, str, Any]]:
        """(status, name, value) for each example of a success. A replay's are those of the first answer."""
        found = [
            (status, heading(name, self.follow(example)), self.follow(example)["value"])
            for status, response in responses.items()
            if status.startswith("2")
            for content in response.get("content", {}).values()
            for name, example in content.get("examples", {}).items()
        ]
        return [each for place, each in enumerate(found) if each[1:] not in [other[1:] for other in found[:place]]]

    def credentials(self, operation: dict[str, Any]) -> list[tuple[str, list[str]]]:
        return [pair for requirement in operation["security"] for pair in requirement.items()]

    # Errors

    def problems(self, response: Any) -> Iterator[dict[str, Any]]:
        """The examples of problems in a response."""
        content = response.get("content", {}).get("application/problem+json", {})
        for example in map(self.follow, content.get("examples", {}).values()):
            yield example["value"]

    def codes(self, response: Any) -> list[str]:
        return list(dict.fromkeys(problem["code"] for problem in self.problems(response)))

    def errors(self) -> list[dict[str, Any]]:
        """Each code in the order of its status: its statuses, its examples, and the operations that answer it."""
        found: dict[str, dict[str, Any]] = {}
        for operation in self.operations():
            for status, response in operation["responses"].items():
                for problem in self.problems(response):
                    error = found.setdefault(problem["code"], {"statuses": {}, "examples": {}, "operations": {}})
                    error["statuses"][status] = True
                    error["examples"][problem["detail"]] = problem
                    error["operations"][operation["operationId"]] = operation
        advice = self.document["components"]["schemas"]["Problem"]["properties"]["code"]["x-advice"]
        errors = [{"code": code, "advice": advice[code], **error} for code, error in found.items()]
        return sorted(errors, key=lambda error: min(error["statuses"]))

    # Schemas

    def type(self, schema: dict[str, Any]) -> Markup:
        """The type of a schema in a few words, with links to the schemas that it names."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return Markup('<a href="#schema-{0}">{0}</a>').format(name)
        for word, kind in ((" or ", "oneOf"), (" or ", "anyOf"), (" and ", "allOf")):
            if kind in schema:
                return Markup(word).join(map(self.type, schema[kind]))
        if "const" in schema:
            return Markup("<code>{}</code>").format(json.dumps(schema["const"]))
        if isinstance(schema.get("additionalProperties"), dict):
            return Markup("object of {}").format(self.type(schema["additionalProperties"]))
        if "type" not in schema:
            return escape("anything")
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        array = Markup("array of {}").format(self.type(schema["items"])) if "items" in schema else escape("array")
        return Markup(" or ").join(array if each == "array" else escape(each) for each in types)

    @staticmethod
    def bounds(schema: dict[str, Any]) -> list[Markup]:
        """What else a value must be, in words."""
        branches = (schema, schema.get("then", {}), schema.get("else", {}))
        formats = [each["format"] for each in branches if "format" in each]
        said = [Markup(" or ").join(map(code, formats))] if formats else []
        if "pattern" in schema:
            said.append(Markup("matches {}").format(code(schema["pattern"])))
        said += [escape(words) for each in RANGES if (words := in_range(schema, *each))]
        if "propertyNames" in schema:
            said.append(escape("names of " + in_range(schema["propertyNames"], *RANGES[0])))
        for name, others in schema.get("dependentRequired", {}).items():
            said.append(Markup("{} only with {}").format(code(name), Markup(", ").join(map(code, others))))
        if "default" in schema:
            said.append(Markup("default {}").format(code(schema["default"])))
        return said

    @staticmethod
    def members(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any], bool]]:
        """(name, schema, whether required) for each member of an object, those of `allOf` included."""
        parts = [schema, *schema.get("allOf", [])]
        return [
            (name, member, name in part.get("required", []))
            for part in parts
            for name, member in part.get("properties", {}).items()
        ]


def sample(schema: dict[str, Any], parameter: dict[str, Any]) -> str:
    """A value for a parameter, made up where the document has none."""
    examples = [parameter.get("example"), *schema.get("examples", []), *schema.get("enum", [])]
    return next((str(example) for example in examples if example is not None), f"${parameter['name'].upper()}")


def in_range(schema: dict[str, Any], low: str, high: str, unit: str) -> str:
    """What a schema's members `low` and `high` say: `1 to 64 characters`, `at most 10 members`, or nothing."""
    ends = [schema[name] for name in (low, high) if name in schema]
    if len(ends) == 2:
        return f"{ends[0]} to {ends[1]}{unit}"
    return (
        f"at {'least' if low in schema else 'most'} {ends[0]}{unit.rstrip('s') if ends[0] == 1 else unit}"
        if ends
        else ""
    )


def join(parts: list[str]) -> str:
    return " \\\n  ".join(parts)


def heading(name: str, example: dict[str, Any]) -> str:
    return str(example.get("summary") or name.replace("_", " "))


def code(value: object) -> Markup:
    return Markup("<code>{}</code>").format(value if isinstance(value, str) and value else json.dumps(value))


def breakable(name: str) -> Markup:
    """A name that may be broken at its underscores and slashes."""
    return Markup(re.sub(r"(?<=[_/])(?=\w)", "<wbr>", str(escape(name))))


def words(name: str) -> str:
    """`apiKey` as `API key`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().replace("api", "API")


def markdown(text: str) -> Markup:
    return Markup(MARKDOWN.render(text))


def inline(text: str) -> Markup:
    """Markdown within a line."""
    return Markup(MARKDOWN.renderInline(text))


def highlighted(value: Any) -> Markup:
    """JSON in lines; names are <b>, texts <i>, and other values <u>."""
    text, parts, end = json.dumps(value, indent=2, ensure_ascii=False), [], 0
    for token in JSON_TOKEN.finditer(text):
        tag = "u" if token["word"] else "b" if token["colon"] else "i"
        parts.append(escape(text[end : token.start()]))
        parts.append(Markup("<{0}>{1}</{0}>{2}").format(tag, token["text"] or token["word"], token["colon"] or ""))
        end = token.end()
    return Markup("").join([*parts, escape(text[end:])])


def filled(text: str) -> str:
    """The text of docs/openapi.yaml, with what the code knows in the places that ask for it."""
    for name, values in (("Method", Method), ("Provider", NAMES)):
        text = re.sub(rf"enum: \[.*\]( }} # filled in: {name}\n)", rf"enum: [{', '.join(values)}]\1", text)
    dumped = yaml.safe_dump({"provider": offers()}, sort_keys=False, default_flow_style=None, width=100)
    rules = "".join(f"{' ' * 8}{line}\n" for line in dumped.splitlines())
    return re.sub(r"(# filled in: provider\n).*?( *# filled in: end\n)", rf"\1{rules}\2", text, flags=re.DOTALL)


def offers() -> dict[str, Any]:
    """What a start that names a provider may ask for, as a JSON schema: one rule after the other."""
    rule: dict[str, Any] = {}
    for name in reversed(NAMES):
        methods = [str(route.method) for route in registry.manifest(name).routes]
        wanted = {"method": {"enum": [*methods, None]}, "allowed_methods": {"contains": {"enum": methods}}}
        rule = {
            "if": {"properties": {"provider": {"const": name}}},
            "then": {"properties": wanted, **({} if on_their_own(map(Method, methods)) else {"anyOf": named()})},
            **({"else": rule} if rule else {}),
        }
    return rule


def named() -> list[dict[str, Any]]:
    """That a start names a method, for a provider that has none which is used without."""
    return [
        {"required": ["method"], "properties": {"method": {"type": "string"}}},
        {"required": ["allowed_methods"], "properties": {"allowed_methods": {"type": "array", "items": {}}}},
    ]


def served() -> dict[str, Any]:
    """The document that a stack serves: docs/openapi.yaml, with the version of pyproject.toml."""
    document: dict[str, Any] = yaml.safe_load(filled(SOURCE.read_text()))
    document["info"]["version"] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return document


def rendered() -> dict[str, str]:
    """The text of each file that is made, by its name."""
    document = served()
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "breakable": breakable,
        "markdown": markdown,
        "inline": inline,
        "highlighted": highlighted,
        "words": words,
    }
    page = environment.get_template("page.html").render(
        document=document,
        reference=Reference(document),
        style=Markup((HERE / "style.css").read_text()),
        script=Markup((HERE / "script.js").read_text()),
        languages=LANGUAGES,
        base_url=BASE_URL,
        quick_start=quick_start,
    )
    # A quotation mark in a text is one, and takes a fifth.
    page = re.sub(r">[^<>]*<", lambda text: text[0].replace("&#34;", '"'), page)
    # Nor are indentations shown, but in what is preformatted.
    parts = re.split(r"(<(pre|script|style)\b.*?</\2>)", page, flags=re.DOTALL)
    page = "".join(
        re.sub(r"\n\s+", "\n", part) if place % 3 == 0 else part for place, part in enumerate(parts) if place % 3 < 2
    )
    return {"openapi.json": json.dumps(document, indent=1, ensure_ascii=False) + "\n", "docs.html": page + "\n"}


if __name__ == "__main__":
    SOURCE.write_text(filled(SOURCE.read_text()))
    for name, text in rendered().items():
        (TARGET / name).write_text(text)
        print(f"{(TARGET / name).relative_to(ROOT)}: {len(text.encode()) // 1024} KB")
