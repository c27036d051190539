import assert from "node:assert/strict";
import { test } from "node:test";
import { all, human, withBothSdks } from "./sdks.js";

withBothSdks((sdk, client) => {
  test("a thread is created, found, changed and deleted", async () => {
    const mark = crypto.randomUUID();
    const threadId = crypto.randomUUID();
    const made = await client.threads.create({ threadId, metadata: { mark }, graphId: "chat" });
    assert.deepEqual([made.thread_id, made.status, made.values], [threadId, "idle", null]);
    assert.deepEqual(made.metadata, { mark, graph_id: "chat" });
    await assert.rejects(client.threads.create({ threadId }), { status: 409 });
    assert.equal((await client.threads.create({ threadId, ifExists: "do_nothing" })).thread_id, threadId);

    const changed = await client.threads.update(threadId, { metadata: { more: 1 } });
    assert.deepEqual(changed.metadata, { mark, graph_id: "chat", more: 1 });
    assert.deepEqual((await client.threads.get(threadId)).metadata, changed.metadata);

    const found = await client.threads.search({ metadata: { mark }, status: "idle", limit: 1 });
    assert.deepEqual(found.map((thread) => thread.thread_id), [threadId]);
    assert.equal(await client.threads.count({ metadata: { mark } }), 1);

    await client.threads.delete(threadId);
    await assert.rejects(client.threads.get(threadId), { status: 404 });
  });

  test("a chat page finds its threads by the graph, newest first, with their values", async () => {
    const mark = crypto.randomUUID();
    const threads = [];
    for (const word of ["first", "second"]) {
      const thread = await client.threads.create({ metadata: { mark } });
      await client.runs.wait(thread.thread_id, "echo", { input: human(word) });
      threads.push(thread.thread_id);
    }
    const found = await client.threads.search({
      metadata: { graph_id: "echo", mark },
      sortBy: "updated_at",
      sortOrder: "desc",
      select: ["thread_id", "values", "status"],
    });
    assert.deepEqual(found.map((thread) => thread.thread_id), threads.toReversed());
    assert.deepEqual(Object.keys(found[0]).sort(), ["status", "thread_id", "values"]);
    assert.equal(found[0].values.messages[0].content, "second");
  });

  test("state is read, written and forked, and history tells of it", async () => {
    const { thread_id: threadId } = await client.threads.create();
    const empty = await client.threads.getState(threadId);
    assert.deepEqual([empty.values, empty.next, empty.tasks, empty.checkpoint], [{}, [], [], null]);

    await client.runs.wait(threadId, "steps", { input: { log: ["in"] } });
    const state = await client.threads.getState(threadId);
    assert.deepEqual(state.values, { log: ["in", "one", "two", "three"] });

    const history = await client.threads.getHistory(threadId);
    assert.deepEqual(history.map(({ next }) => next), [[], ["three"], ["two"], ["one"], ["__start__"]]);
    assert.deepEqual(history.at(-1).metadata.source, "input");
    assert.equal(history[0].parent_checkpoint.checkpoint_id, history[1].checkpoint.checkpoint_id);
    assert.deepEqual(await client.threads.getHistory(threadId, { limit: 1 }), [history[0]]);
    const before = { configurable: { checkpoint_id: history[2].checkpoint.checkpoint_id } };
    assert.deepEqual(await client.threads.getHistory(threadId, { before }), history.slice(3));

    const middle = history[2];
    assert.deepEqual((await client.threads.getState(threadId, middle.checkpoint)).values, middle.values);
    assert.deepEqual((await client.threads.getState(threadId, middle.checkpoint.checkpoint_id)).next, ["two"]);

    const written = await client.threads.updateState(threadId, {
      values: { log: ["forked"] },
      checkpoint: middle.checkpoint,
      asNode: "two",
    });
    const forked = await client.threads.getState(threadId);
    assert.equal(forked.checkpoint.checkpoint_id, written.checkpoint.checkpoint_id);
    assert.deepEqual([forked.values, forked.next], [{ log: ["in", "one", "forked"] }, ["three"]]);
    const ended = await client.runs.wait(threadId, "steps", { input: null });
    assert.deepEqual(ended.log, ["in", "one", "forked", "three"]);
  });

  test("a copy has the state, and goes its own way", async () => {
    const { thread_id: threadId } = await client.threads.create();
    await client.runs.wait(threadId, "echo", { input: human("hello") });
    const copy = await client.threads.copy(threadId);
    assert.notEqual(copy.thread_id, threadId);
    await client.runs.wait(copy.thread_id, "echo", { input: human("again") });
    assert.equal((await client.threads.getState(copy.thread_id)).values.messages.length, 4);
    assert.equal((await client.threads.getState(threadId)).values.messages.length, 2);
  });

  test("a thread is created with supersteps", async () => {
    const { thread_id: threadId } = await client.threads.create({
      graphId: "steps",
      supersteps: [
        { updates: [{ values: { log: ["in"] }, asNode: "__start__" }] },
        { updates: [{ values: { log: ["done before"] }, asNode: "one" }] },
      ],
    });
    const state = await client.threads.getState(threadId);
    assert.deepEqual([state.values, state.next], [{ log: ["in", "done before"] }, ["two"]]);
  });

  test("a thread's stream shows the runs that come", async () => {
    const { thread_id: threadId } = await client.threads.create();
    const leaving = new AbortController();
    const seen = [];
    const reading = (async () => {
      const stream = client.threads.joinStream(threadId, { signal: leaving.signal, streamMode: ["run_modes"] });
      for await (const part of stream) {
        seen.push(part);
        if (part.data?.status === "run_done") return;
      }
    })();
    const wanted = () => seen.some((part) => part.data?.status === "run_done");
    while (!wanted()) await client.runs.wait(threadId, "steps", { input: { log: [] } });
    await reading;
    leaving.abort();
    assert.ok(seen.every((part) => part.id));
  });

  test("a thread that is not there is a 404 at once", async () => {
    const threadId = crypto.randomUUID();
    await assert.rejects(client.threads.getState(threadId), { status: 404 });
    await assert.rejects(all(client.runs.stream(threadId, "echo", { input: human("x") })), { status: 404 });
  });

  if (sdk.isNewest) {
    test("threads are pruned", async () => {
      const made = await Promise.all([client.threads.create(), client.threads.create()]);
      const pruned = await client.threads.prune(made.map((thread) => thread.thread_id));
      assert.equal(pruned.pruned_count, 2);
      await assert.rejects(client.threads.get(made[0].thread_id), { status: 404 });
    });
  }
});
