/** Making and changing boards. */

import type { Board, BoardChanges, BoardConfig } from "./board.ts";
import type { CallOptions, ListOptions } from "./limiters.ts";

/**
 * The boards of the service. Calls reject with an `AdmissionError` or a `ServerUnavailableError`; none is made again by
 * itself.
 */
export interface Boards {
  /** All, by name. */
  list(options?: ListOptions): AsyncIterable<Board>;
  /** One, with how work flows over it. BOARD_NOT_FOUND. */
  get(name: string, options?: CallOptions): Promise<Board>;
  /** Makes one; again with the same content is harmless. BOARD_EXISTS, INVALID_REQUEST. */
  create(config: BoardConfig, options?: CallOptions): Promise<Board>;
  /** Changes what is given, if the etag (where one is given) still stands. BOARD_NOT_FOUND, ETAG_MISMATCH, STAGE_NOT_EMPTY. */
  update(
    name: string,
    changes: BoardChanges,
    options?: CallOptions & { readonly etag?: string | undefined },
  ): Promise<Board>;
  /**
   * Deletes one, and says how many cards went with it. While cards stand on it that are not completed BOARD_NOT_EMPTY,
   * unless by `force`: work on them ends with CARD_DELETED. BOARD_NOT_FOUND, ETAG_MISMATCH, DECLARED.
   */
  delete(
    name: string,
    options?: CallOptions & { readonly etag?: string | undefined; readonly force?: boolean | undefined },
  ): Promise<{ readonly deletedCards: number }>;
}
