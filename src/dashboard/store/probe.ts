/** Asks the server now and then whether it is there: a watch of what stands still says nothing, and neither does one that is dead. */

import { type ReadonlySignal, signal } from "@preact/signals";
import { failureText } from "../api/failure.ts";
import type { ServerCalls } from "../api/server-calls.ts";
import type { Connection } from "./connection.ts";

export interface Probe {
  /** What health says; undefined while that is not known. */
  readonly health: ReadonlySignal<string | undefined>;
}

/** ms. */
const INTERVAL = 3_000;
const PATIENCE = 2_500;

export interface ProbeOptions {
  readonly server: Pick<ServerCalls, "health">;
  readonly connection: Pick<Connection, "confirmed" | "lost">;
  /** The server does not answer: streams to it are dead. */
  readonly onSilence: () => void;
}

export function createProbe({ server, connection, onSilence }: ProbeOptions): Probe {
  const health = signal<string | undefined>(undefined);

  async function ask(): Promise<void> {
    if (document.hidden) return;
    try {
      health.value = await server.health(PATIENCE);
      connection.confirmed();
    } catch (error) {
      health.value = undefined;
      connection.lost(failureText(error));
      onSilence();
    }
  }

  setInterval(() => void ask(), INTERVAL);
  void ask();
  return { health };
}
