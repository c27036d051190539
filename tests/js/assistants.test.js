import assert from "node:assert/strict";
import { test } from "node:test";
import { withBothSdks } from "./sdks.js";

withBothSdks((sdk, client) => {
  test("the served graphs are assistants of the system", async () => {
    const [chat] = await client.assistants.search({ graphId: "chat", metadata: { created_by: "system" } });
    assert.equal(chat.graph_id, "chat");
    assert.deepEqual(await client.assistants.get(chat.assistant_id), chat);
    assert.ok((await client.assistants.count({ graphId: "chat" })) >= 1);
  });

  test("an assistant is created, found, changed, set back and deleted", async () => {
    const mark = crypto.randomUUID();
    const made = await client.assistants.create({
      graphId: "steps",
      name: "mine",
      description: "a test's",
      config: { tags: ["one"] },
      metadata: { mark },
    });
    assert.equal(made.version, 1);
    assert.equal(made.description, "a test's");

    const changed = await client.assistants.update(made.assistant_id, { name: "ours", metadata: { more: 1 } });
    assert.deepEqual([changed.version, changed.name, changed.metadata], [2, "ours", { mark, more: 1 }]);

    const versions = await client.assistants.getVersions(made.assistant_id);
    assert.deepEqual(versions.map(({ version, name }) => [version, name]), [[2, "ours"], [1, "mine"]]);
    const back = await client.assistants.setLatest(made.assistant_id, 1);
    assert.deepEqual([back.version, back.name], [1, "mine"]);

    assert.deepEqual((await client.assistants.search({ metadata: { mark } })).map((a) => a.assistant_id), [
      made.assistant_id,
    ]);
    assert.equal(await client.assistants.count({ metadata: { mark } }), 1);
    await client.assistants.delete(made.assistant_id);
    await assert.rejects(client.assistants.get(made.assistant_id), { status: 404 });
  });

  test("creating an assistant twice is refused, or gives the first", async () => {
    const given = { graphId: "steps", assistantId: crypto.randomUUID() };
    const made = await client.assistants.create(given);
    await assert.rejects(client.assistants.create(given), { status: 409 });
    const again = await client.assistants.create({ ...given, ifExists: "do_nothing" });
    assert.deepEqual(again, made);
    await client.assistants.delete(made.assistant_id);
  });

  test("search answers page by page", async () => {
    const mark = crypto.randomUUID();
    const ids = [];
    for (const name of ["a", "b", "c"]) {
      ids.push((await client.assistants.create({ graphId: "steps", name, metadata: { mark } })).assistant_id);
    }
    const query = { metadata: { mark }, sortBy: "name", sortOrder: "asc", limit: 2, includePagination: true };
    const first = await client.assistants.search(query);
    assert.deepEqual(first.assistants.map((a) => a.name), ["a", "b"]);
    assert.equal(first.next, "2");
    const second = await client.assistants.search({ ...query, offset: Number(first.next) });
    assert.deepEqual(second.assistants.map((a) => a.name), ["c"]);
    assert.equal(second.next, null);
    await Promise.all(ids.map((id) => client.assistants.delete(id)));
  });

  test("graph, schemas and subgraphs are described", async () => {
    const [assistant] = await client.assistants.search({ graphId: "subgraphs" });
    const id = assistant.assistant_id;
    const names = (graph) => graph.nodes.map((node) => node.id);
    assert.deepEqual(names(await client.assistants.getGraph(id)), ["__start__", "top", "child", "__end__"]);
    assert.ok(names(await client.assistants.getGraph(id, { xray: true })).includes("child:middle"));
    assert.deepEqual(names(await client.assistants.getGraph("subgraphs")), ["__start__", "top", "child", "__end__"]);

    const schemas = await client.assistants.getSchemas(id);
    assert.equal(schemas.graph_id, "subgraphs");
    assert.ok(schemas.input_schema.properties.log);

    assert.deepEqual(Object.keys(await client.assistants.getSubgraphs(id)), ["child"]);
    const all = await client.assistants.getSubgraphs(id, { recurse: true });
    assert.deepEqual(Object.keys(all), ["child", "child|grandchild"]);
    assert.deepEqual(Object.keys(await client.assistants.getSubgraphs(id, { namespace: "child" })), ["child"]);
  });
});
