"""Bodies of the assistant routes."""

from robyn_server.surfaces.langgraph.schemas.shapes import (
    anything,
    body,
    choice,
    identifier,
    limit,
    metadata,
    nullable,
    offset,
    select,
    settings,
    sort_order,
    storable,
    string,
)

FIELDS = (
    "assistant_id", "graph_id", "name", "description", "config", "context", "created_at", "updated_at", "metadata",
    "version",
)  # fmt: skip

ASSISTANTS = {
    "AssistantCreate": body(
        {
            "assistant_id": identifier("Its id; made when absent."),
            "graph_id": string("The graph it runs."),
            "config": settings("LangChain configuration."),
            "context": settings("What the graph reads as `runtime.context`."),
            "metadata": metadata("assistant"),
            "if_exists": choice(
                "raise", "do_nothing", default="raise", description="What to do when the id is taken."
            ),
            "name": string("Its name; `Untitled` when absent."),
            "description": nullable("string", "What it is for."),
        },
        "graph_id",
    ),
    "AssistantPatch": body(
        {
            "graph_id": string("The graph it runs."),
            "config": settings("Replaces the configuration."),
            "context": settings("Replaces the context."),
            "metadata": anything("Merged into the metadata, one level deep."),
            "name": string("Its name."),
            "description": string("What it is for."),
        }
    ),
    "AssistantVersionChange": body({"version": storable("The version to go back to.")}),
    "AssistantSearchRequest": body(
        {
            "metadata": anything("What the metadata must contain."),
            "graph_id": string("Only assistants of this graph."),
            "name": string("A part of the name, in any case."),
            "limit": limit(),
            "offset": offset(),
            "sort_by": choice("assistant_id", "created_at", "updated_at", "name", "graph_id"),
            "sort_order": sort_order(),
            "select": select(*FIELDS),
        }
    ),
    "AssistantCountRequest": body(
        {
            "metadata": anything("What the metadata must contain."),
            "graph_id": string("Only assistants of this graph."),
            "name": string("A part of the name, in any case."),
        }
    ),
    "AssistantVersionsSearchRequest": body(
        {
            "metadata": anything("What the metadata of the version must contain."),
            "limit": limit(),
            "offset": offset(),
        }
    ),
}
