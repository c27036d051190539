import assert from "node:assert/strict";
import { test } from "node:test";
import { open, sessionStorage } from "./page.js";
import { SENTENCE, human, withBothSdks } from "./sdks.js";
import { ended, until } from "./waiting.js";

withBothSdks((sdk, client) => {
  const at = { timeout: 30_000 };
  const settled = (page) => until(() => !page.stream.isLoading && !page.stream.isThreadLoading);

  test("submit: the thread is made, tokens arrive one by one, history is read", at, async () => {
    const ids = {};
    const page = await open(sdk, {
      assistantId: "chat",
      fetchStateHistory: true,
      onThreadId: (threadId) => (ids.thread = threadId),
      onCreated: (run) => (ids.run = run.run_id),
    });
    page.stream.submit({ ...human("hi"), pause: 0.05 });
    await until(() => page.texts.at(-1) === SENTENCE);
    await settled(page);

    const answers = new Set(page.shown.filter(({ texts }) => texts.length === 2).map(({ texts }) => texts[1]));
    assert.ok(answers.size > 4, [...answers].join("\n"));
    for (const answer of answers) assert.ok(SENTENCE.startsWith(answer), answer);
    assert.deepEqual(page.texts, ["hi", SENTENCE]);
    assert.equal(page.stream.error, undefined);
    assert.equal(page.stream.history.length, 3);
    assert.equal((await client.runs.get(ids.thread, ids.run)).status, "success");
    page.close();
  });

  test("an interrupt is shown, also after a reload, and answered", at, async () => {
    let threadId;
    const options = { assistantId: "approval", fetchStateHistory: true };
    const first = await open(sdk, { ...options, onThreadId: (id) => (threadId = id) });
    first.stream.submit(human("send it"));
    const { value } = await until(() => first.stream.interrupt?.value && first.stream.interrupt);
    assert.equal(value.action_requests[0].name, "send");
    await settled(first);
    first.close();

    const second = await open(sdk, { ...options, threadId });
    const again = await until(() => second.stream.interrupt?.value && second.stream.interrupt);
    assert.deepEqual(again.value, value);
    second.stream.submit(null, { command: { resume: { decisions: [{ type: "approve" }] } } });
    await until(() => second.texts.at(-1) === "decided: approve");
    await settled(second);
    assert.deepEqual(second.texts, ["send it", SENTENCE, "decided: approve"]);
    assert.equal(second.stream.interrupt, undefined);
    second.close();
  });

  test("reconnectOnMount: a reloaded page follows the run that it had begun", at, async () => {
    const options = { assistantId: "chat", reconnectOnMount: true, fetchStateHistory: true };
    const ids = {};
    const first = await open(sdk, {
      ...options,
      onThreadId: (id) => (ids.thread = id),
      onCreated: (run) => (ids.run = run.run_id),
    });
    first.stream.submit({ ...human("hi"), pause: 0.3 });
    await until(() => first.texts.at(-1)?.startsWith("the quick"));
    first.close();
    assert.equal(sessionStorage.getItem(`lg:stream:${ids.thread}`), ids.run);

    const second = await open(sdk, { ...options, threadId: ids.thread });
    await until(() => second.texts.at(-1) === SENTENCE);
    await settled(second);
    const growing = second.shown.map(({ texts }) => texts[1]).filter((text) => text && text !== SENTENCE);
    assert.ok(growing.length > 1, "it has only seen the end");
    assert.deepEqual(second.texts, ["hi", SENTENCE]);
    assert.equal(sessionStorage.getItem(`lg:stream:${ids.thread}`), null);
    assert.equal((await client.runs.list(ids.thread)).length, 1);
    second.close();
  });

  for (const reconnectOnMount of [true, false]) {
    test(`stop cancels the run on the server (reconnectOnMount: ${reconnectOnMount})`, at, async () => {
      const { thread_id: threadId } = await client.threads.create();
      const ids = {};
      const page = await open(sdk, {
        assistantId: "chat",
        reconnectOnMount,
        threadId,
        onCreated: (run) => (ids.run = run.run_id),
      });
      page.stream.submit({ ...human("hi"), pause: 1 });
      await until(() => page.texts.at(-1)?.startsWith("the"));
      page.stream.stop();
      await until(() => !page.stream.isLoading);
      assert.equal((await ended(client, threadId, ids.run)).status, "interrupted");
      page.close();
    });
  }

  test("a failed run is an error on the page, also after a reload", at, async () => {
    let threadId;
    const options = { assistantId: "failing", fetchStateHistory: true };
    const first = await open(sdk, { ...options, onThreadId: (id) => (threadId = id) });
    first.stream.submit({ log: [] });
    const error = await until(() => first.stream.error);
    assert.match(error.message, /it went wrong/);
    first.close();
    const second = await open(sdk, { ...options, threadId });
    assert.match(String(await until(() => second.stream.error)), /it went wrong/);
    second.close();
  });

  test("a message is edited and an answer regenerated, and both branches stay", at, async () => {
    let threadId;
    const page = await open(sdk, {
      assistantId: "echo",
      fetchStateHistory: true,
      onThreadId: (id) => (threadId = id),
    });
    const answered = async (...texts) => {
      await until(() => page.texts.join() === texts.join() && !page.stream.isLoading, () => `shown: ${page.texts}`);
      await settled(page);
    };
    const parentOf = (message) => page.stream.getMessagesMetadata(message).firstSeenState.parent_checkpoint;

    page.stream.submit(human("one"));
    await answered("one", "you said: one");
    page.stream.submit(human("two"));
    await answered("one", "you said: one", "two", "you said: two");

    const [, , question, answer] = page.stream.messages;
    page.stream.submit(undefined, { checkpoint: parentOf(answer) });
    await until(() => page.stream.messages[3]?.id && page.stream.messages[3].id !== answer.id);
    await answered("one", "you said: one", "two", "you said: two");
    const regenerated = page.stream.getMessagesMetadata(page.stream.messages[3]);
    assert.equal(regenerated.branchOptions.length, 2);

    page.stream.submit(human("three"), { checkpoint: parentOf(question) });
    await answered("one", "you said: one", "three", "you said: three");
    const edited = page.stream.getMessagesMetadata(page.stream.messages[2]);
    assert.equal(edited.branchOptions.length, 2);

    page.stream.setBranch(edited.branchOptions.find((branch) => branch !== edited.branch));
    await answered("one", "you said: one", "two", "you said: two");
    assert.equal((await client.runs.list(threadId, { status: "success" })).length, 4);
    page.close();
  });
});
