// The two SDKs that users have: the newest by date, and 2.0.0, older code that a plain `npm install` still gives.

import { appendFileSync } from "node:fs";
import { describe } from "node:test";
import * as newest from "@langchain/langgraph-sdk";
import * as newestReact from "@langchain/langgraph-sdk/react";
import * as latest from "langgraph-sdk-2";
import * as latestReact from "langgraph-sdk-2/react";

export const SERVER = process.env.LANGGRAPH_URL;
if (!SERVER) throw new Error("LANGGRAPH_URL must name a running server of tests/project");

export const SENTENCE = "the quick brown fox jumps over the lazy dog";

const SDKS = [
  { name: "SDK 1.15.0", Client: newest.Client, useStream: newestReact.useStream, isNewest: true },
  { name: "SDK 2.0.0", Client: latest.Client, useStream: latestReact.useStream, isNewest: false },
];

/** Each public method of a client, e.g. `threads.create`, and the prototype that has it. */
export function* methodsOf(Client) {
  for (const [part, held] of Object.entries(new Client({ apiUrl: SERVER, apiKey: null }))) {
    const shared = typeof held === "object" && held !== null ? Object.getPrototypeOf(held) : Object.prototype;
    if (part.startsWith("~") || shared === Object.prototype || shared === Array.prototype) continue;
    for (const method of Object.getOwnPropertyNames(shared)) {
      if (method !== "constructor") yield { name: `${part}.${method}`, shared, method };
    }
  }
}

/** What test_js_sdk.py reads: the methods that there are (`inventory.js`), and those that were called. */
export const INVENTORY = SDKS.flatMap((sdk) => [...methodsOf(sdk.Client)].map((one) => `${sdk.name} ${one.name}`));
const called = new Set();
for (const sdk of SDKS) {
  for (const { name, shared, method } of methodsOf(sdk.Client)) {
    const before = shared[method];
    shared[method] = function (...given) {
      called.add(`${sdk.name} ${name}`);
      return before.apply(this, given);
    };
  }
}
if (process.env.SDK_CALLS) {
  process.on("exit", () => appendFileSync(process.env.SDK_CALLS, [...called, ""].join("\n")));
}

/** Define the same tests for both SDKs, which go side by side: `tests(sdk, client)`. */
export function withBothSdks(tests) {
  describe("both", { concurrency: SDKS.length }, () => {
    for (const sdk of SDKS) {
      describe(sdk.name, { concurrency: 1 }, () => tests(sdk, new sdk.Client({ apiUrl: SERVER, apiKey: null })));
    }
  });
}

/** Everything that a stream gives. */
export async function all(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

/** The text that the `messages` parts of a stream add up to. */
export function spoken(parts) {
  return parts
    .filter((part) => part.event === "messages")
    .map((part) => part.data[0].content)
    .join("");
}

export function human(content) {
  return { messages: [{ type: "human", content }] };
}
