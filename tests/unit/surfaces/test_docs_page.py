"""The page at /docs."""

from robyn_server.surfaces.system.docs_page import docs_page

DOCUMENT = {
    "info": {"title": "T <1>", "version": "1"},
    "paths": {
        "/things/{id}": {
            "post": {
                "summary": "Make <b>",
                "tags": ["Things"],
                "parameters": [{"name": "id", "in": "path", "schema": {"type": "string"}}],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                },
            }
        }
    },
    "components": {"schemas": {"Thing": {"type": "object", "properties": {"name": {"type": "string"}}}}},
}


def test_the_page_needs_nothing_from_elsewhere_and_escapes():
    page = docs_page(DOCUMENT)
    assert page.startswith("<!doctype html>")
    assert "Make &lt;b&gt;" in page and "<b>" not in page
    assert "/things/{id}" in page and "&quot;name&quot;" in page
    assert "http://" not in page and "https://" not in page and "<script" not in page
