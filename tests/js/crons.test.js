import assert from "node:assert/strict";
import { test } from "node:test";
import { withBothSdks } from "./sdks.js";
import { until } from "./waiting.js";

withBothSdks((sdk, client) => {
  test("crons are created, found, changed and deleted", async () => {
    const mark = crypto.randomUUID();
    const { thread_id: threadId } = await client.threads.create();
    const given = { schedule: "0 5 * * 1", input: { log: [] }, metadata: { mark }, timezone: "Europe/Berlin" };
    const bound = await client.crons.createForThread(threadId, "steps", given);
    const free = await client.crons.create("steps", { ...given, enabled: false });
    assert.equal(bound.thread_id, threadId);
    assert.equal(free.enabled, false);

    assert.deepEqual((await client.crons.search({ threadId })).map((cron) => cron.cron_id), [bound.cron_id]);
    assert.equal(await client.crons.count({ threadId }), 1);
    const changed = await client.crons.update(bound.cron_id, { schedule: "@daily", enabled: false });
    assert.deepEqual([changed.schedule, changed.enabled], ["@daily", false]);
    if (sdk.isNewest) {
      assert.equal(bound.timezone, "Europe/Berlin");
      assert.equal(await client.crons.count({ metadata: { mark } }), 2);
      assert.equal((await client.crons.search({ metadata: { mark }, enabled: false })).length, 2);
    }
    await client.crons.delete(bound.cron_id);
    await client.crons.delete(free.cron_id);
    await assert.rejects(client.crons.delete(free.cron_id), { status: 404 });
    assert.deepEqual(await client.crons.search({ threadId }), []);
  });

  test("a cron fires on its thread", async () => {
    const { thread_id: threadId } = await client.threads.create();
    const cron = await client.crons.createForThread(threadId, "echo", {
      schedule: "* * * * * *",
      input: { messages: [{ type: "human", content: "tick" }] },
    });
    try {
      await until(async () => (await client.runs.list(threadId, { status: "success" })).length > 0);
    } finally {
      await client.crons.delete(cron.cron_id);
    }
    assert.equal((await client.threads.getState(threadId)).values.messages[1].content, "you said: tick");
  });

  test("a schedule that is none is refused", async () => {
    await assert.rejects(client.crons.create("steps", { schedule: "often" }), { status: 422 });
  });
});
