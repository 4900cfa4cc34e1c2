/**
 * Work that only one page at a time may do. Open it in two tabs: the second waits until the first gives its lease back,
 * is closed, or crashes.
 */

import { AdmissionError, connect } from "ggen-backpressure";

const parameters = new URLSearchParams(location.search);
const limiter = parameters.get("limiter") ?? "sample";
const server = parameters.get("server") ?? "http://localhost:8080";

const acquireButton = find("acquire", HTMLButtonElement);
const giveBackButton = find("give-back", HTMLButtonElement);
const tokenField = find("token", HTMLInputElement);
const state = find("state", HTMLElement);

acquireButton.addEventListener("click", async () => {
  const stop = new AbortController();
  const giveBack = () => stop.abort();
  giveBackButton.addEventListener("click", giveBack);
  acquireButton.disabled = true;
  giveBackButton.disabled = false;
  try {
    // Sent by https, or to this machine. One from your own login comes here, too: `token: () => fetchToken()`.
    await using client = connect(server, { holder: document.title, token: tokenField.value || undefined });
    await using lease = await client.acquire(limiter, {
      signal: stop.signal,
      onWaiting: ({ waitersAhead }) => show(`waiting, ${waitersAhead} before me`),
    });
    show(`holding ${lease.id}`);
    await aborted(lease.signal); // Work here, and stop when the signal aborts.
    show(stop.signal.aborted ? "given back" : `lost: ${lease.signal.reason.message}`);
  } catch (error) {
    if (stop.signal.aborted) show("given up");
    else show(error instanceof AdmissionError ? `refused: ${error.reason}` : `failed: ${error}`);
  } finally {
    giveBackButton.removeEventListener("click", giveBack);
    acquireButton.disabled = false;
    giveBackButton.disabled = true;
  }
});

function show(text: string): void {
  state.textContent = text;
}

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener("abort", resolve, { once: true });
  });
}

function find<E extends HTMLElement>(id: string, type: new () => E): E {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${id}`);
  return element;
}
