/** Calls with one answer: those that make, change and read things. */

import type { CallOptions as RpcOptions } from "@connectrpc/connect";
import type { CallOptions, ListOptions } from "../api/limiters.ts";
import { linkSignals } from "./linked-signal.ts";
import { type PageOf, type PageQuery, readPages } from "./pages.ts";
import type { CallPorts } from "./ports.ts";

export interface UnaryCalls {
  /** Makes a call that ends with the caller's signal, or the client. */
  call<T>(options: CallOptions | undefined, make: (options: RpcOptions) => Promise<T>): Promise<T>;
  /** Reads page after page, as far as the loop goes on. */
  pages<T>(
    options: ListOptions | undefined,
    read: (query: PageQuery, options: RpcOptions) => Promise<PageOf<T>>,
  ): AsyncGenerator<T, void>;
}

export function createUnaryCalls({ availability, calls, visibility, closing }: CallPorts): UnaryCalls {
  const call: UnaryCalls["call"] = async (options, make) => {
    const { signal, unlink } = linkSignals(options?.signal, closing);
    try {
      signal.throwIfAborted();
      const passage = availability.enter();
      const visit = visibility.enter(signal);
      try {
        return await calls.unary(make, { signal });
      } catch (error) {
        // A page that was away has closed its connections itself.
        passage.failed(visit.signal.aborted ? undefined : error);
        throw error;
      } finally {
        visit.leave();
      }
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      unlink();
    }
  };

  return {
    call,
    pages: (options, read) =>
      readPages(options?.pageSize, (query) => call(options, (rpcOptions) => read(query, rpcOptions))),
  };
}
