/** Just enough of protobuf to write requests and to find an answer's few fields, at a fraction of what a library costs. */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A field that has bytes: a message, a string. */
export function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint((field << 3) | BYTES), varint(bytes.byteLength), bytes]);
}

export function stringField(field: number, text: string): Buffer {
  return bytesField(field, Buffer.from(text));
}

export function varintField(field: number, value: number): Buffer {
  return Buffer.concat([varint((field << 3) | VARINT), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** Calls back with each field: its number for a varint, its bytes for what has bytes. Others are passed over. */
export function readFields(
  bytes: Buffer,
  onField: (field: number, value: number, content: Buffer | undefined) => void,
): void {
  let at = 0;
  const number = () => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[at] as number;
      at += 1;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  while (at < bytes.byteLength) {
    const tag = number();
    const field = tag >>> 3;
    switch (tag & 7) {
      case VARINT:
        onField(field, number(), undefined);
        break;
      case BYTES: {
        const length = number();
        const start = at;
        at += length;
        onField(field, 0, bytes.subarray(start, at));
        break;
      }
      case FIXED64:
        at += 8;
        break;
      case FIXED32:
        at += 4;
        break;
      default:
        throw new Error(`not protobuf: wire type ${tag & 7}`);
    }
  }
}

/** The bytes of the first field of this number, if there is one. */
export function bytesOf(message: Buffer, wanted: number): Buffer | undefined {
  let found: Buffer | undefined;
  readFields(message, (field, _, content) => {
    if (field === wanted) found ??= content;
  });
  return found;
}
