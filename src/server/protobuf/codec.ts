/** What `gen/codec.ts` offers for each type of message that it knows. */

import type { Message } from "@bufbuild/protobuf";

/** Reads a message. Throws for bytes that are none. */
export type Read = (bytes: Uint8Array) => Message;

/** Writes a message. Throws for a value that has no place in its field, which is a bug. */
export type Write = (message: Message) => Buffer;

/** Returns true for a message that keeps all rules of its contract. Of any other, and of some that do, it does not know. */
export type Check = (message: Message) => boolean;
