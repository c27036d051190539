import assert from "node:assert/strict";
import { test } from "node:test";
import { all, human, withBothSdks } from "./sdks.js";

withBothSdks((sdk, client) => {
  test("a run stops for a question and goes on with the answer", async () => {
    const { thread_id: threadId } = await client.threads.create();
    const asked = await all(
      client.runs.stream(threadId, "interrupting", { input: { log: [] }, streamMode: ["values", "updates"] }),
    );
    const [question] = asked.findLast((part) => part.data?.__interrupt__).data.__interrupt__;
    assert.deepEqual(question.value, { question: "which?" });

    const thread = await client.threads.get(threadId);
    assert.equal(thread.status, "interrupted");
    assert.deepEqual(Object.values(thread.interrupts), [[{ id: question.id, value: question.value }]]);
    const state = await client.threads.getState(threadId);
    assert.deepEqual([state.next, state.tasks[0].interrupts], [["ask"], Object.values(thread.interrupts)[0]]);

    const values = await client.runs.wait(threadId, "interrupting", { command: { resume: "this" } });
    assert.deepEqual(values.log, ["prepared", "answer: this", "finished"]);
    assert.equal((await client.threads.get(threadId)).status, "idle");
  });

  test("an answer is given by the question's id, with empty input beside it as agent-chat-ui sends it", async () => {
    const { thread_id: threadId } = await client.threads.create();
    const { __interrupt__: [question] } = await client.runs.wait(threadId, "interrupting", { input: { log: [] } });
    const values = await client.runs.wait(threadId, "interrupting", {
      input: {},
      command: { resume: { [question.id]: "that" } },
    });
    assert.deepEqual(values.log, ["prepared", "answer: that", "finished"]);
  });

  test("a run stops before a node and goes on without input", async () => {
    const { thread_id: threadId } = await client.threads.create();
    await client.runs.wait(threadId, "steps", { input: { log: [] }, interruptBefore: ["two"] });
    assert.deepEqual((await client.threads.getState(threadId)).next, ["two"]);
    assert.deepEqual((await client.runs.wait(threadId, "steps", { input: null })).log, ["one", "two", "three"]);
  });

  test("a run that does not answer is asked again", async () => {
    const { thread_id: threadId } = await client.threads.create();
    const first = await client.runs.wait(threadId, "interrupting", { input: { log: [] } });
    const second = await client.runs.wait(threadId, "interrupting", { command: { goto: "__end__" } });
    assert.deepEqual(second, first);
    assert.equal((await client.threads.get(threadId)).status, "interrupted");
  });

  test("state is updated with a command", async () => {
    const { thread_id: threadId } = await client.threads.create();
    await client.runs.wait(threadId, "echo", { input: human("one") });
    const values = await client.runs.wait(threadId, "echo", {
      command: { update: human("two"), goto: "echo" },
    });
    assert.deepEqual(values.messages.map((m) => m.content), ["one", "you said: one", "two", "you said: two"]);
  });
});
