/** The families of the server itself: calls, connections, what is kept, the process. */

import type { IssuerKeys } from "../auth/issuer-keys.ts";
import type { FrontFigures } from "../front/front.ts";
import type { ThreadFigures } from "../front/thread-meter.ts";
import type { StoreFigures } from "../store/store.ts";
import type { TlsFigures } from "../tls/tls-files.ts";
import { statusName } from "../transport/rpc/call-times.ts";
import { Labels, NO_LABELS } from "./labels.ts";
import type { ProcessFigures } from "./process-figures.ts";
import { type FamilySamples, type Sample, samplesOf, seconds } from "./samples.ts";

export interface ServerFigures {
  readonly serving: boolean;
  readonly draining: boolean;
  /** µs until new leases are granted again; 0: they are. */
  readonly learningFor: number;
  readonly storeFailed: boolean;
  /** ms since 1970: when the configuration in force was taken up. */
  readonly loadedAt: number;
  /** Whether the file that was read last is in force. */
  readonly lastReadTaken: boolean;
  /** Files that were not taken up. */
  readonly reloadFailures: number;
  /** Undefined: TLS is not spoken. */
  readonly tls: TlsFigures | undefined;
  readonly version: string;
}

export function frontSamples({ calls, connections, keys }: FrontFigures): FamilySamples[] {
  const ofIssuers = (read: (keys: IssuerKeys) => number | undefined) =>
    keys.flatMap((each) => {
      const value = read(each);
      return value === undefined ? [] : [{ labels: new Labels(["issuer"], [each.issuer]), value }];
    });
  return [
    samplesOf(
      "rpcDuration",
      calls.ended.map(({ system, method, code, times }) => ({
        labels: new Labels(
          ["rpc_system_name", "rpc_method", "rpc_response_status_code"],
          [system, method, statusName(code)],
        ),
        value: times,
      })),
    ),
    samplesOf(
      "streams",
      calls.streams.map(([method, underWay]) => ({ labels: new Labels(["rpc_method"], [method]), value: underWay })),
    ),
    samplesOf(
      "connections",
      Object.entries(connections).map(([port, open]) => ({ labels: new Labels(["port"], [port]), value: open })),
    ),
    samplesOf(
      "issuerKeysLastLoadSuccessful",
      ofIssuers(({ lastLoadTaken }) => Number(lastLoadTaken)),
    ),
    samplesOf(
      "issuerKeysLoaded",
      ofIssuers(({ loadedAt }) => loadedAt && loadedAt / 1_000),
    ),
  ];
}

/** Of the thread that decides, which is `main`, and of those that carry connections. */
export function threadSamples(threads: readonly (readonly [name: string, figures: ThreadFigures])[]): FamilySamples[] {
  const each = (read: (figures: ThreadFigures) => Sample["value"]) =>
    threads.map(([name, figures]) => ({ labels: new Labels(["thread"], [name]), value: read(figures) }));
  return [
    samplesOf(
      "eventLoopDelay",
      each(({ loopDelay }) => loopDelay),
    ),
    samplesOf(
      "heapUsed",
      each(({ heapUsed }) => heapUsed),
    ),
    samplesOf(
      "heapTotal",
      each(({ heapTotal }) => heapTotal),
    ),
  ];
}

export function storeSamples(store: StoreFigures | undefined, { storeFailed }: ServerFigures): FamilySamples[] {
  return [
    samplesOf("storeCommit", one(store?.commits)),
    samplesOf("storeBytes", one(store?.bytes)),
    samplesOf("storeFailed", one(Number(storeFailed))),
  ];
}

export function serverSamples(server: ServerFigures): FamilySamples[] {
  const build = new Labels(["version", "node"], [server.version, process.versions.node]);
  return [
    samplesOf("serving", one(Number(server.serving))),
    samplesOf("learning", one(seconds(server.learningFor))),
    samplesOf("draining", one(Number(server.draining))),
    samplesOf("configLastReload", one(server.loadedAt / 1_000)),
    samplesOf("configLastReloadSuccessful", one(Number(server.lastReadTaken))),
    samplesOf("configReloadFailures", one(server.reloadFailures)),
    samplesOf("tlsNotAfter", one(server.tls && server.tls.notAfter / 1_000)),
    samplesOf("tlsLastReloadSuccessful", one(server.tls && Number(server.tls.lastReadTaken))),
    samplesOf("tlsReloadFailures", one(server.tls?.failures)),
    samplesOf("buildInfo", [{ labels: build, value: 1 }]),
  ];
}

export function processSamples({ cpu, memory, startedAt, openFds, maxFds }: ProcessFigures): FamilySamples[] {
  return [
    samplesOf("processCpu", one(seconds(cpu))),
    samplesOf("processMemory", one(memory)),
    samplesOf("processStart", one(startedAt / 1_000)),
    samplesOf("processOpenFds", one(openFds)),
    samplesOf("processMaxFds", one(maxFds)),
  ];
}

/** A family of one series, or of none. */
function one(value: Sample["value"] | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ labels: NO_LABELS, value }];
}
