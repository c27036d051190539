"""The `/docs` page: the OpenAPI document as HTML that needs nothing from elsewhere. Pure."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from robyn_server.resources.types import JsonObject

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; padding: .35rem .7rem; }
summary { cursor: pointer; }
summary code { font-weight: 600; }
.method { display: inline-block; min-width: 4.5rem; font: 600 12px ui-monospace, monospace; }
.get { color: #2b8a3e; } .post { color: #1c6fd1; } .put, .patch { color: #b35c00; } .delete { color: #c92a2a; }
.about { opacity: .75; margin-left: .6rem; }
pre { background: var(--soft); padding: .7rem; overflow: auto; border-radius: 6px; font-size: 13px; }
"""

METHODS = ("get", "post", "put", "patch", "delete")


def docs_page(document: JsonObject) -> str:
    """One self-contained page."""
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    groups = "\n".join(_groups(document))
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>"
        f'<p>{escape(info.get("description", ""))} The document itself: <a href="openapi.json">openapi.json</a>.</p>'
        f"{groups}</body></html>\n"
    )


def _groups(document: JsonObject) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                tag = (operation.get("tags") or ["Other"])[0]
                by_tag.setdefault(tag, []).append(_operation(document, method, path, operation))
    for tag, operations in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>"
        yield from operations


def _operation(document: JsonObject, method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [
        f'<details><summary><span class="method {method}">{method.upper()}</span><code>{escape(path)}</code>'
        f'<span class="about">{escape(operation.get("summary", ""))}</span></summary>'
    ]
    if operation.get("description"):
        parts.append(f"<p>{escape(operation['description'])}</p>")
    parameters = operation.get("parameters") or []
    if parameters:
        parts.append(f"<ul>{''.join(_parameter(parameter) for parameter in parameters)}</ul>")
    content = (operation.get("requestBody") or {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema:
        shown = json.dumps(_resolved(document, schema), indent=2, ensure_ascii=False)
        parts.append(f"<p>Body</p><pre>{escape(shown)}</pre>")
    parts.append("</details>")
    return "".join(parts)


def _parameter(parameter: Mapping[str, Any]) -> str:
    kind = (parameter.get("schema") or {}).get("type", "")
    return (
        f"<li><code>{escape(parameter['name'])}</code> ({escape(parameter['in'])}, {escape(str(kind))})</li>"
    )


def _resolved(document: JsonObject, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference names; references inside it stay."""
    reference = schema.get("$ref", "")
    name = reference.removeprefix("#/components/schemas/")
    found: Mapping[str, Any] = document["components"]["schemas"].get(name, schema)
    return found
