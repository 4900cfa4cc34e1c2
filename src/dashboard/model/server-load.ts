/** What the server carries, in a few figures. */

import { formatBytes } from "../../text/bytes.ts";
import { formatRoughly } from "../../text/duration.ts";
import { formatNumber } from "../../text/number.ts";

/** What is read here of `ServerLoad` in JSON, which has no figure that is 0, and 64 bits as a text. */
export interface Load {
  readonly streams?: readonly { readonly method?: string; readonly open?: number }[];
  readonly grpcConnections?: number;
  readonly webConnections?: number;
  readonly eventLoopDelay?: {
    readonly p50?: string;
    readonly p99?: string;
    readonly longest?: string;
    readonly thread?: string;
  };
  readonly heapUsedBytes?: string;
  readonly heapTotalBytes?: string;
  readonly storeBytes?: string;
}

export interface LoadFigure {
  readonly label: string;
  readonly value: string;
  readonly title: string;
}

export function loadFigures(load: Load): readonly LoadFigure[] {
  const { streams = [], grpcConnections = 0, webConnections = 0, eventLoopDelay = {} } = load;
  const { p50, p99, longest, thread = "main" } = eventLoopDelay;
  const open = streams.reduce((sum, { open = 0 }) => sum + open, 0);
  return [
    { label: "streams", value: formatNumber(open), title: "calls that wait, hold, watch, or carry a session" },
    {
      label: "connections",
      value: formatNumber(grpcConnections + webConnections),
      title: `${formatNumber(grpcConnections)} at the port of gRPC, ${formatNumber(webConnections)} at the web port`,
    },
    {
      label: "threads late, p50 / p99",
      value: `${late(p50)} / ${late(p99)}`,
      title: "how late timers came in the last minute, in the latest thread: whatever the server does waits so long",
    },
    { label: "late at most", value: late(longest), title: `in the last minute, in the thread ${thread}` },
    {
      label: "heap",
      value: formatBytes(Number(load.heapUsedBytes ?? 0)),
      title: `of ${formatBytes(Number(load.heapTotalBytes ?? 0))} that are reserved, over all threads`,
    },
    {
      label: "data folder",
      value: load.storeBytes === undefined ? "–" : formatBytes(Number(load.storeBytes)),
      title: "the database and its log, on the disk",
    },
  ];
}

/** Which streams there are, most first: `12 Acquire, 3 Session`; empty: none. */
export function streamWords({ streams = [] }: Load): string {
  return [...streams]
    .sort((a, b) => (b.open ?? 0) - (a.open ?? 0))
    .map(({ method = "", open = 0 }) => `${formatNumber(open)} ${method.slice(method.indexOf("/") + 1)}`)
    .join(", ");
}

/** A duration in JSON: `0.0042s`. */
function late(duration = "0s"): string {
  return formatRoughly(Number.parseFloat(duration) * 1_000);
}
