import assert from "node:assert/strict";
import { test } from "node:test";
import { SENTENCE, all, human, spoken, withBothSdks } from "./sdks.js";
import { ended, until } from "./waiting.js";

const events = (parts) => parts.map((part) => part.event);

withBothSdks((sdk, client) => {
  const newThread = async () => (await client.threads.create()).thread_id;

  test("a run is streamed in one mode", async () => {
    const threadId = await newThread();
    let created;
    const parts = await all(
      client.runs.stream(threadId, "steps", {
        input: { log: ["in"] },
        streamMode: "values",
        onRunCreated: (run) => (created = run),
      }),
    );
    assert.deepEqual(events(parts), ["metadata", "values", "values", "values", "values"]);
    assert.deepEqual(parts.at(-1).data, { log: ["in", "one", "two", "three"] });
    assert.deepEqual(created, { run_id: parts[0].data.run_id, thread_id: threadId });
    assert.equal((await client.runs.get(threadId, created.run_id)).status, "success");
  });

  test("a run is streamed in several modes", async () => {
    const parts = await all(
      client.runs.stream(await newThread(), "talk", {
        input: human("hi"),
        streamMode: ["values", "updates", "messages-tuple", "tasks", "checkpoints", "debug"],
      }),
    );
    assert.deepEqual(
      [...new Set(events(parts))].sort(),
      ["checkpoints", "debug", "messages", "metadata", "tasks", "updates", "values"],
    );
    assert.equal(spoken(parts), SENTENCE);
    const ids = new Set(parts.filter((part) => part.event === "messages").map((part) => part.data[0].id));
    const final = parts.findLast((part) => part.event === "values").data.messages.at(-1);
    assert.deepEqual([...ids], [final.id]);
  });

  test("messages grow in mode messages, and events tell everything", async () => {
    const parts = await all(
      client.runs.stream(await newThread(), "talk", { input: human("hi"), streamMode: ["messages", "events"] }),
    );
    assert.equal(parts.findLast((part) => part.event === "messages/partial").data[0].content, SENTENCE);
    assert.ok(parts.some((part) => part.event === "events" && part.data.event === "on_chat_model_stream"));
  });

  test("subgraphs and what a node writes are streamed", async () => {
    const parts = await all(
      client.runs.stream(await newThread(), "subgraphs", {
        input: { log: [] },
        streamMode: ["updates", "custom"],
        streamSubgraphs: true,
      }),
    );
    const names = events(parts).map((event) => event.replaceAll(/:[0-9a-f-]{36}/g, ""));
    assert.ok(names.includes("updates|child|grandchild"), names.join());
    assert.ok(names.includes("custom|child"), names.join());
  });

  test("wait gives the final values, and throws what the graph threw", async () => {
    const values = await client.runs.wait(await newThread(), "steps", { input: { log: [] } });
    assert.deepEqual(values, { log: ["one", "two", "three"] });
    const threadId = await newThread();
    await assert.rejects(client.runs.wait(threadId, "failing", { input: { log: [] } }), /ValueError: it went wrong/);
    assert.equal((await client.threads.get(threadId)).status, "error");
    const told = await client.runs.wait(await newThread(), "failing", { input: { log: [] }, raiseError: false });
    assert.equal(told.__error__.error, "ValueError");
  });

  test("a failing run ends its stream with an error", async () => {
    const parts = await all(client.runs.stream(await newThread(), "failing", { input: { log: [] } }));
    const { event, data } = parts.at(-1);
    assert.deepEqual([event, data.error, data.message], ["error", "ValueError", "it went wrong"]);
  });

  test("a run in the background is joined", async () => {
    const threadId = await newThread();
    const run = await client.runs.create(threadId, "slow", { input: { pause: 0.05, rounds: 3 } });
    assert.equal(run.status, "pending");
    assert.deepEqual((await client.runs.join(threadId, run.run_id)).log, ["step0", "step1", "step2"]);
    assert.equal((await client.runs.get(threadId, run.run_id)).status, "success");
  });

  test("a run is joined as a stream, while it goes and after its end", async () => {
    const threadId = await newThread();
    const run = await client.runs.create(threadId, "chat", {
      input: human("hi"),
      streamMode: ["values", "messages-tuple"],
      streamResumable: true,
    });
    const live = await all(client.runs.joinStream(threadId, run.run_id, { lastEventId: "-1" }));
    assert.equal(spoken(live), SENTENCE);
    const ids = live.map((part) => part.id);
    assert.equal(new Set(ids).size, ids.length);
    const later = await all(client.runs.joinStream(threadId, run.run_id, { lastEventId: "-1" }));
    assert.deepEqual(later, live);
    const rest = await all(client.runs.joinStream(threadId, run.run_id, { lastEventId: ids[3] }));
    assert.deepEqual(rest, live.slice(4));
    const values = await all(
      client.runs.joinStream(threadId, run.run_id, { lastEventId: "-1", streamMode: ["values", "metadata"] }),
    );
    assert.ok(events(values).includes("values"), events(values).join());
    assert.ok(!events(values).includes("messages"), events(values).join());
  });

  test("a run is cancelled, and rolled back", async () => {
    const threadId = await newThread();
    const input = { pause: 0.2, rounds: 100 };
    const run = await client.runs.create(threadId, "slow", { input });
    await until(async () => (await client.runs.get(threadId, run.run_id)).status === "running");
    await client.runs.cancel(threadId, run.run_id, true);
    assert.equal((await client.runs.get(threadId, run.run_id)).status, "interrupted");

    const other = await client.runs.create(threadId, "slow", { input });
    await until(async () => (await client.runs.get(threadId, other.run_id)).status === "running");
    await client.runs.cancel(threadId, other.run_id, true, "rollback");
    await assert.rejects(client.runs.get(threadId, other.run_id), { status: 404 });
  });

  test("a stream that is left cancels its run, unless it shall go on", async () => {
    for (const [onDisconnect, status] of [["cancel", "interrupted"], ["continue", "success"]]) {
      const threadId = await newThread();
      const leaving = new AbortController();
      const stream = client.runs.stream(threadId, "slow", {
        input: { pause: 0.1, rounds: onDisconnect === "cancel" ? 300 : 5 },
        onDisconnect,
        signal: leaving.signal,
      });
      const { value: first } = await stream.next();
      leaving.abort();
      await all(stream);
      assert.equal((await ended(client, threadId, first.data.run_id)).status, status);
    }
  });

  test("runs are listed and deleted", async () => {
    const threadId = await newThread();
    const made = [];
    for (let count = 0; count < 3; count++) {
      made.push((await client.runs.create(threadId, "steps", { input: { log: [] } })).run_id);
    }
    await client.runs.join(threadId, made.at(-1));
    const ids = async (options) => (await client.runs.list(threadId, options)).map((run) => run.run_id);
    assert.deepEqual(await ids(), made.toReversed());
    assert.deepEqual(await ids({ limit: 1, offset: 1, status: "success" }), [made[1]]);
    assert.deepEqual(Object.keys((await client.runs.list(threadId, { select: ["run_id"] }))[0]), ["run_id"]);
    await client.runs.delete(threadId, made[0]);
    assert.deepEqual(await ids(), [made[2], made[1]]);
  });

  test("a second run waits, or is refused", async () => {
    const threadId = await newThread();
    const first = await client.runs.create(threadId, "slow", { input: { pause: 0.1, rounds: 5 } });
    await assert.rejects(
      client.runs.create(threadId, "slow", { input: {}, multitaskStrategy: "reject" }),
      { status: 409 },
    );
    const second = await client.runs.wait(threadId, "slow", { input: { rounds: 6 }, multitaskStrategy: "enqueue" });
    assert.deepEqual(second.log.length, 6);
    assert.equal((await client.runs.get(threadId, first.run_id)).status, "success");
  });

  test("runs without a thread: stream, wait, create, batch", async () => {
    let created;
    const parts = await all(
      client.runs.stream(null, "talk", {
        input: human("hi"),
        streamMode: "messages-tuple",
        onRunCreated: (run) => (created = run),
      }),
    );
    assert.equal(spoken(parts), SENTENCE);
    assert.deepEqual(created, { run_id: parts[0].data.run_id, thread_id: undefined });
    assert.deepEqual(await client.runs.wait(null, "steps", { input: { log: [] } }), { log: ["one", "two", "three"] });
    const run = await client.runs.create(null, "steps", { input: { log: [] } });
    assert.equal(run.status, "pending");
    const batch = await client.runs.createBatch([
      { assistantId: "steps", input: { log: [] } },
      { assistantId: "echo", input: human("x") },
    ]);
    assert.equal(batch.length, 2);
  });

  test("an unknown assistant is refused at once", async () => {
    const threadId = await newThread();
    await assert.rejects(client.runs.create(threadId, "nobody", { input: {} }), { status: 422 });
    await assert.rejects(client.runs.create(threadId, crypto.randomUUID(), { input: {} }), { status: 404 });
  });

  if (sdk.isNewest) {
    test("many runs are cancelled in one call", async () => {
      const threadId = await newThread();
      const input = { pause: 0.2, rounds: 100 };
      const runs = [
        await client.runs.create(threadId, "slow", { input }),
        await client.runs.create(threadId, "slow", { input }),
      ];
      await client.runs.cancelMany({ threadId, runIds: runs.map((run) => run.run_id) });
      for (const run of runs) assert.equal((await ended(client, threadId, run.run_id)).status, "interrupted");
    });
  }
});
