// A page in jsdom that shows one `useStream`, and a browser tab that can be closed on it.

import { JSDOM } from "jsdom";
import { until } from "./waiting.js";

const dom = new JSDOM("<!doctype html><body></body>", { url: "http://chat.example/" });
for (const name of ["window", "document", "navigator"]) {
  Object.defineProperty(globalThis, name, { value: dom.window[name], configurable: true });
}

const { createElement, useEffect } = await import("react");
const { createRoot } = await import("react-dom/client");

export const { sessionStorage } = dom.window;

/** Show a component that uses `useStream(options)`. Whatever is open when the page is closed is cut off. */
export async function open(sdk, options) {
  const closing = new AbortController();
  const callerOptions = {
    maxRetries: 0,
    fetch: (url, init) =>
      fetch(url, { ...init, signal: AbortSignal.any([closing.signal, ...(init?.signal ? [init.signal] : [])]) }),
  };
  const client = new sdk.Client({ apiUrl: process.env.LANGGRAPH_URL, apiKey: null, callerOptions });
  const shown = [];

  function Page() {
    const stream = sdk.useStream({ client, messagesKey: "messages", ...options });
    // Nobody presses a button before React has run the hook's effects: in those of the first render the hook takes a
    // thread that was made meanwhile for another one, and drops its stream.
    useEffect(() => {
      shown.push({ texts: stream.messages.map((message) => message.content), isLoading: stream.isLoading });
      page.stream = stream;
    });
    return null;
  }

  const root = createRoot(document.createElement("div"));
  const page = {
    /** What the hook returned last. */
    stream: undefined,
    /** The texts of the messages, render after render. */
    shown,
    get texts() {
      return shown.at(-1)?.texts;
    },
    close() {
      closing.abort();
      root.unmount();
    },
  };
  root.render(createElement(Page));
  await until(() => page.stream);
  return page;
}
