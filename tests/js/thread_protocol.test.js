// The newest SDK's `client.threads.stream`: commands and one stream of events a thread. 2.0.0 does not know it.

import assert from "node:assert/strict";
import { Client } from "@langchain/langgraph-sdk";
import { test } from "node:test";
import { cuttingProxy } from "./cutting_proxy.js";
import { SENTENCE, SERVER, all, human } from "./sdks.js";
import { until } from "./waiting.js";

const client = new Client({ apiUrl: SERVER, apiKey: null });
const at = { timeout: 30_000 };

/** A thread's stream that keeps its events, closed after the test. */
function following(context, assistantId, { threadId = crypto.randomUUID(), from = client } = {}) {
  const thread = from.threads.stream(threadId, { assistantId });
  const events = [];
  thread.onEvent((event) => events.push(event));
  context.after(() => thread.close());
  return { thread, events };
}

const lifecycle = (events) =>
  events.filter(({ method, params }) => method === "lifecycle" && !params.namespace.length).map((e) => e.params.data.event);

test("a run is started on a new thread, and its message arrives word by word", at, async (context) => {
  const { thread, events } = following(context, "talk");
  const reading = (async () => {
    for await (const message of thread.messages) return all(message.text);
  })();
  const { run_id: runId } = await thread.run.start({ input: human("hi") });
  const words = await reading;
  assert.equal(words.join(""), SENTENCE);
  assert.equal(words.length, 9);

  const { messages } = await thread.output;
  assert.deepEqual(messages.map((message) => message.text), ["hi", SENTENCE]);
  assert.equal((await client.runs.get(thread.threadId, runId)).status, "success");
  assert.deepEqual(lifecycle(events), ["running", "completed"]);
});

test("a run asks, and goes on with the answer from another connection", at, async (context) => {
  const { thread } = following(context, "approval");
  await thread.run.start({ input: human("send it") });
  await thread.output;
  assert.equal(thread.interrupted, true);
  const [{ interruptId, namespace, payload }] = thread.interrupts;
  assert.equal(payload.action_requests[0].name, "send");

  const { thread: again } = following(context, "approval", { threadId: thread.threadId });
  await again.input.respond({
    interrupt_id: interruptId,
    namespace,
    response: { decisions: [{ type: "approve" }] },
  });
  // Not `again.output`: it ends at the first ending it hears of, which is the first run's when the second is quick.
  await until(async () => (await client.threads.get(thread.threadId)).status === "idle");
  const { values } = await client.threads.getState(thread.threadId);
  assert.equal(values.messages.at(-1).content, "decided: approve");
});

test("a failed run is told", at, async (context) => {
  const { thread, events } = following(context, "failing");
  await thread.run.start({ input: { log: [] } });
  assert.deepEqual(await thread.output, { log: ["first"] });
  assert.deepEqual(lifecycle(events), ["running", "failed"]);
});

test("a cancelled run is told", at, async (context) => {
  const { thread, events } = following(context, "slow");
  const { run_id: runId } = await thread.run.start({ input: { pause: 0.1, rounds: 200 } });
  await until(() => events.some((event) => event.method === "values"));
  await client.runs.cancel(thread.threadId, runId);
  await thread.output;
  assert.deepEqual(lifecycle(events), ["running", "interrupted"]);
});

test("subgraphs are discovered", at, async (context) => {
  const { thread } = following(context, "subgraphs");
  const reading = (async () => {
    for await (const subgraph of thread.subgraphs) return subgraph;
  })();
  await thread.run.start({ input: { log: [] } });
  const subgraph = await reading;
  assert.equal(subgraph.name, "child");
  assert.equal((await subgraph.output).log[0], "top");
});

test("a refused command is an error", at, async (context) => {
  const { thread } = following(context, "nobody");
  await assert.rejects(thread.run.start({ input: {} }), /404|422/);
});

test("events come once each over cut connections", at, async (context) => {
  const proxy = await cuttingProxy(SERVER, [4000, 2000]);
  context.after(() => proxy.close());
  const from = new Client({ apiUrl: proxy.url, apiKey: null });
  const { thread, events } = following(context, "slow", { from });
  await thread.run.start({ input: { pause: 0.05, rounds: 20 } });
  const { log } = await thread.output;
  assert.equal(log.length, 20);
  assert.equal(proxy.cutCount, 2);
  const lengths = events.filter((event) => event.method === "values").map((event) => event.params.data.log?.length);
  assert.deepEqual([...new Set(lengths)].slice(-20), Array.from({ length: 20 }, (_, index) => index + 1));
  const ids = events.map((event) => event.event_id);
  assert.equal(new Set(ids).size, ids.length);
});
