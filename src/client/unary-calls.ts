/** Calls with one answer, for those who make, change and read things. */

import type { CallOptions as RpcOptions } from "@connectrpc/connect";
import { ANSWER_WITHIN } from "./calls.ts";
import type { CallOptions, ListOptions } from "./limiters.ts";
import { linkSignals } from "./link.ts";
import type { CallPorts } from "./ports.ts";

export interface UnaryCalls {
  /** Makes a call that ends with the caller's signal, or the client. */
  call<T>(options: CallOptions | undefined, make: (options: RpcOptions) => Promise<T>): Promise<T>;
  /** Reads page after page, as far as the loop goes on. */
  pages<T>(
    options: ListOptions | undefined,
    read: (page: PageQuery, options: RpcOptions) => Promise<PageOf<T>>,
  ): AsyncGenerator<T, void>;
}

export interface PageQuery {
  readonly pageSize: number | undefined;
  readonly pageToken: string;
}

export interface PageOf<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

export function createUnaryCalls({ calls, closing }: Pick<CallPorts, "calls" | "closing">): UnaryCalls {
  const call: UnaryCalls["call"] = async (options, make) => {
    const { signal, unlink } = linkSignals(options?.signal, closing);
    try {
      signal.throwIfAborted();
      return await calls.unary(() => make({ signal, timeoutMs: ANSWER_WITHIN }));
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      unlink();
    }
  };

  return {
    call,
    async *pages(options, read) {
      const pageSize = options?.pageSize;
      let pageToken = "";
      do {
        const { items, nextPageToken } = await call(options, (rpcOptions) => read({ pageSize, pageToken }, rpcOptions));
        yield* items;
        pageToken = nextPageToken;
      } while (pageToken !== "");
    },
  };
}
