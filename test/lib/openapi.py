# SPDX-License-Identifier: BSD-2-Clause
"""A small validator of answers by doc/openapi.json: as much of OpenAPI 3.0 as is in it. What is in an answer and not in its schema is an error as well."""
import json
import os

DOCUMENT = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "doc", "openapi.json")
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


class Document:
    def __init__(self, text):
        self.tree = json.loads(text)
        self.met = set()  # schemas that some answer was held against

    def resolve(self, schema):
        while "$ref" in schema:
            self.met.add(schema["$ref"].rsplit("/", 1)[1])
            at = self.tree
            for word in schema["$ref"].removeprefix("#/").split("/"):
                at = at[word]
            schema = at
        return schema

    def problems(self, value, schema, where="$"):
        """Sentences; none: it is as it should be."""
        schema = self.resolve(schema)
        if value is None:
            return [] if schema.get("nullable") else [f"{where} is null"]
        kind = schema.get("type")
        if kind in ("integer", "number"):
            good = isinstance(value, int if kind == "integer" else (int, float)) and not isinstance(value, bool)
        else:
            good = kind is None or isinstance(value, TYPES[kind])
        if not good:
            return [f"{where} is {value!r}, no {kind}"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{where} is {value!r}, none of {schema['enum']}"]
        if kind == "array":
            return [p for i, v in enumerate(value) for p in self.problems(v, schema["items"], f"{where}[{i}]")]
        if kind == "object":
            return self.problems_of_object(value, schema, where)
        return []

    def problems_of_object(self, value, schema, where):
        known = schema.get("properties", {})
        found = [f"{where} has no {k}" for k in schema.get("required", []) if k not in value]
        for k, v in value.items():
            if k in known:
                found += self.problems(v, known[k], f"{where}.{k}")
            elif schema.get("additionalProperties") is False:
                found.append(f"{where}.{k} is not described")
        return found

    def problems_of_answer(self, method, path, status, content_type, body):
        """Of a whole answer; body: octets."""
        operation = self.tree["paths"].get(path, {}).get(method.lower())
        if not operation:
            return [f"{method} {path} is not described"]
        answer = operation["responses"].get(str(status))
        if not answer:
            return [f"{method} {path} is not described to answer {status}"]
        kind = content_type.split(";")[0]
        if kind not in answer["content"]:
            return [f"{method} {path} {status}: {kind} is not described"]
        return self.problems(json.loads(body), answer["content"][kind]["schema"]) if kind == "application/json" else []
