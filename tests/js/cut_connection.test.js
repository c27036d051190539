import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { cuttingProxy } from "./cutting_proxy.js";
import { SERVER, all, human, withBothSdks } from "./sdks.js";

withBothSdks((sdk, direct) => {
  let proxy;
  afterEach(() => proxy.close());

  const clientThatIsCut = async (...cuts) => {
    proxy = await cuttingProxy(SERVER, cuts);
    return new sdk.Client({ apiUrl: proxy.url, apiKey: null });
  };

  test("a stream goes on after cuts, without loss or repetition", { timeout: 60_000 }, async () => {
    const { thread_id: threadId } = await direct.threads.create();
    // Each cut falls behind the headers of an answer: 2.0.0 gives up when a reconnection fails before them.
    const client = await clientThatIsCut(2500, 1700, 1300);
    const seen = await all(
      client.runs.stream(threadId, "storyteller", {
        input: { ...human("tell"), pause: 0.1 },
        streamMode: ["values", "messages-tuple"],
        streamResumable: true,
        onDisconnect: "continue",
      }),
    );
    assert.equal(proxy.cutCount, 3);
    const stored = await all(direct.runs.joinStream(threadId, seen[0].data.run_id, { lastEventId: "-1" }));
    assert.deepEqual(seen, stored);
    assert.equal(seen.at(-1).data.messages.length, 4);
  });

  test("a joined stream goes on after a cut", { timeout: 60_000 }, async () => {
    const { thread_id: threadId } = await direct.threads.create();
    const run = await direct.runs.create(threadId, "storyteller", {
      input: { ...human("tell"), pause: 0.05 },
      streamMode: ["messages-tuple"],
      streamResumable: true,
    });
    const client = await clientThatIsCut(3000);
    const seen = await all(client.runs.joinStream(threadId, run.run_id, { lastEventId: "-1" }));
    assert.equal(proxy.cutCount, 1);
    assert.deepEqual(seen, await all(direct.runs.joinStream(threadId, run.run_id, { lastEventId: "-1" })));
  });
});
