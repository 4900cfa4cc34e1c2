/** What one request asks, and where its answer goes. */

/** Names the stream of one call within its engine. */
export type StreamId = number;

/** What one request asks of one limiter. */
export interface Claim {
  readonly limiter: string;
  readonly key: string;
  readonly permits: number;
  readonly tokens: number;
  /** Whether each permit shall have a slot. */
  readonly slots: boolean;
}
