/** The suite's messages to and from its runner: a length of four bytes before each. */

const LENGTH_BYTES = 4;

/** Reads message after message until the stream ends. */
export async function* readMessages(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.byteLength >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + bytes.readUInt32BE();
      if (bytes.byteLength < end) break;
      yield bytes.subarray(LENGTH_BYTES, end);
      bytes = bytes.subarray(end);
    }
  }
}

export function withLength(message: Uint8Array): Uint8Array {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(message.byteLength);
  return Buffer.concat([length, message]);
}
