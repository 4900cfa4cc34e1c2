/** Streams, as a machine knows them: by number, and by how they end. */

/** Names the stream of one call within its engine. */
export type StreamId = number;

/**
 * How a stream has ended without the machine's doing. `lost`: its connection is gone. `cancelled`: it was reset over a
 * connection that lives, by its client or by a proxy in between.
 */
export type StreamEnd = "cancelled" | "lost";
