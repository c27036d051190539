// The thread protocol through the SDK's thread stream, which only the newest SDK has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { human, SENTENCE, withBothSdks } from "./sdks.js";

withBothSdks((sdk, client) => {
  const options = { skip: sdk.isNewest ? false : "this SDK has no thread streams" };

  test("messages come as they are spoken, and the state at the end", options, async () => {
    const thread = client.threads.stream({ assistantId: "talk" });
    await thread.run.start({ input: human("hi") });
    const said = [];
    for await (const message of thread.messages) said.push(await message.text);
    assert.deepEqual(said, [SENTENCE]);
    const output = await thread.output;
    assert.equal(output.messages.at(-1).content[0].text, SENTENCE);
    await thread.close();
  });

  test("a question is asked and answered", options, async () => {
    const thread = client.threads.stream({ assistantId: "interrupting" });
    await thread.run.start({ input: { log: [] } });
    for await (const _ of thread.values) if (thread.interrupted) break;
    const [asked] = thread.interrupts;
    assert.deepEqual(asked.payload, { question: "which?" });
    const { interruptId, namespace } = asked;
    await thread.input.respond({ namespace, interrupt_id: interruptId, response: "this" });
    const state = await client.runs.join(thread.threadId, (await client.runs.list(thread.threadId))[0].run_id);
    assert.deepEqual(state.log, ["prepared", "answer: this", "finished"]);
    await thread.close();
  });

  test("a tool call", options, async () => {
    const thread = client.threads.stream({ assistantId: "all_channels" });
    await thread.run.start({ input: human("hi") });
    const names = new Set();
    for await (const call of thread.toolCalls) names.add(call.name);
    assert.deepEqual([...names], ["double"]);
    await thread.close();
  });
});
