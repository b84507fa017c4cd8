"""/docs: an OpenAPI document as a page that needs no script and nothing from elsewhere."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
pre { padding: .75rem; border: 1px solid; border-radius: .3rem; overflow-x: auto; white-space: pre-wrap; }
.table { overflow-x: auto; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
td code { display: inline-block; min-width: 10rem; }
"""
SHOWN = 20  # values of a list


def render(document: Mapping[str, Any], *, scenarios: Sequence[str] = ()) -> str:
    """Write the page; `scenarios`: those that a document of no scenario of its own points to."""
    info, parts = document["info"], document["components"]["schemas"]
    title = escape(info["title"])
    body = [
        f"<h1>{title}</h1><p>{escape(info['description'])}</p>",
        '<p>The same for programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>',
        "<h2>A row</h2>",
        _fields(parts["Row"], scenarios),
    ]
    for path, methods in document["paths"].items():
        body += [_operation(path, method, operation) for method, operation in methods.items()]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>{''.join(body)}</main></body></html>"
    )


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation['summary'])}.</p>"]
    asked = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "example" in asked:
        parts.append(f"<pre>{escape(json.dumps(asked['example'], ensure_ascii=False))}</pre>")
    errors = [(status, each["description"]) for status, each in operation["responses"].items() if status != "200"]
    cells = (f"<tr><td>{status}</td><td>{escape(description)}</td></tr>" for status, description in errors)
    parts.append(f"<details><summary>Errors</summary><div class=table><table>{''.join(cells)}</table></div></details>")
    return "".join(parts)


def _fields(row: Mapping[str, Any], scenarios: Sequence[str]) -> str:
    if "properties" not in row:
        example = escape(json.dumps(row["examples"][0], ensure_ascii=False))
        links = (f'<a href="/scenarios/{escape(name)}/docs">{escape(name)}</a>' for name in scenarios)
        own = "Features, limits and examples to copy of each: " + ", ".join(links) if scenarios else ""
        return f"<p>{escape(row['description'])}. For example:</p><pre>{example}</pre><p>{own}</p>"
    head = "<tr><th>name</th><th>what it is</th><th>limits</th></tr>"
    rows = (
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(field['description'])}</td>"
        f"<td>{escape('; '.join(_limits(field)))}</td></tr>"
        for name, field in row["properties"].items()
    )
    return f"<div class=table><table>{head}{''.join(rows)}</table></div>"


def _limits(field: Mapping[str, Any]) -> Iterator[str]:
    if "enum" in field:
        names = [str(value) for value in field["enum"] if value not in (None, "")]
        yield ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    for word, keys in (("at least", ("minimum", "x-minimum")), ("at most", ("maximum", "x-maximum"))):
        for key in keys:
            if key in field and abs(field[key] if isinstance(field[key], int | float) else 0) < 3e38:
                yield f"{word} {field[key]}"
    if "maxLength" in field:
        yield f"at most {field['maxLength']} characters"
