/** HTTP/2 frames, as few and as cheap as calls with one request need. RFC 9113, RFC 7541. */

export const TYPE = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const SETTING = { maxConcurrentStreams: 3 } as const;
export const FLAG = { ack: 1, endStream: 1, endHeaders: 4, padded: 8 } as const;
export const HEAD = 9;
/** A byte that says whether a gRPC message is compressed, and its length. */
export const MESSAGE_PREFIX = 5;

export const PREFACE = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(TYPE.settings, 0, 0)]);

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const bytes = Buffer.alloc(HEAD + payload.byteLength);
  bytes.writeUIntBE(payload.byteLength, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, HEAD);
  return bytes;
}

/** The headers of a gRPC call, without the compression table, so that those of every call are the same bytes. */
export function callHeaders(path: string, authority: string, more: Readonly<Record<string, string>> = {}): Buffer {
  return Buffer.concat([
    // :method POST and :scheme http, from the static table.
    Buffer.from([0x83, 0x86]),
    indexedName(4, path),
    indexedName(1, authority),
    indexedName(31, "application/grpc"),
    Buffer.from([0x00]),
    literal("te"),
    literal("trailers"),
    ...Object.entries(more).map(([name, value]) => Buffer.concat([Buffer.from([0x00]), literal(name), literal(value)])),
  ]);
}

/** HEADERS and DATA of one call, whose stream (at byte 5 of either) is filled in by the sender. */
export function callTemplate(headers: Buffer, message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(MESSAGE_PREFIX);
  prefix.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([
    frame(TYPE.headers, FLAG.endHeaders, 0, headers),
    frame(TYPE.data, FLAG.endStream, 0, Buffer.concat([prefix, message])),
  ]);
}

/** A literal whose name is in the static table, not to be indexed. */
function indexedName(index: number, value: string): Buffer {
  const name = index < 15 ? [index] : [15, index - 15];
  return Buffer.concat([Buffer.from(name), literal(value)]);
}

/** A string shorter than 127 bytes, without Huffman. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.byteLength >= 127) throw new RangeError(`too long for one byte of length: ${text}`);
  return Buffer.concat([Buffer.from([bytes.byteLength]), bytes]);
}
