// Waiting for facts instead of for time.

const LOOK_EVERY_MS = 10;

/** Look until `fact()` gives something true, and return it; fail with `otherwise` after so many seconds. */
export async function until(fact, otherwise = "it did not happen in time", seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await fact();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(typeof otherwise === "function" ? otherwise() : otherwise);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Wait until a run has ended, and return it. */
export async function ended(client, threadId, runId) {
  return until(async () => {
    const run = await client.runs.get(threadId, runId);
    return !["pending", "running"].includes(run.status) && run;
  }, "the run does not end");
}
