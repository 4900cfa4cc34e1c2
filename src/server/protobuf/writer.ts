/** Writes protobuf's wire format for the codecs in `gen/codec.ts`, to the byte as `@bufbuild/protobuf` does. */

/** Bytes that are kept from one message to the next; a larger message has its own. */
const KEPT = 65_536;
/** Characters up to which ASCII is written one by one: a call into the engine costs more. */
const SHORT = 64;
const UINT32 = 2 ** 32;
const UINT64_MAX = 2n ** 64n - 1n;
const INT64_MAX = 2n ** 63n - 1n;

/** Fields that this process did not know when it read the message. */
interface Unknowns {
  readonly $unknown?: readonly { readonly no: number; readonly wireType: number; readonly data: Uint8Array }[];
}

/** Writes one message at a time. Methods that take a tag write nothing else before the value. */
export class Writer {
  #bytes: Buffer = Buffer.allocUnsafeSlow(KEPT);
  #pos = 0;

  /** Begins with a message; what was written of one that could not be finished is dropped. */
  begin(): void {
    this.#pos = 0;
    if (this.#bytes.byteLength > KEPT) this.#bytes = Buffer.allocUnsafeSlow(KEPT);
  }

  /** The message, in bytes of its own. */
  finish(): Buffer {
    const message = Buffer.allocUnsafe(this.#pos);
    this.#bytes.copy(message, 0, 0, this.#pos);
    return message;
  }

  /** Begins with a message inside the one that is written; `join` takes what is returned. */
  fork(tag: number): number {
    this.#reserve(6);
    this.#varint(tag);
    // Most are shorter than 128 bytes, and their length is one byte.
    this.#pos += 1;
    return this.#pos;
  }

  join(start: number): void {
    const length = this.#pos - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    const more = varintSize(length) - 1;
    this.#reserve(more);
    this.#bytes.copyWithin(start + more, start, this.#pos);
    this.#pos = start - 1;
    this.#varint(length);
    this.#pos += length;
  }

  string(tag: number, text: string): void {
    const { length } = text;
    // Up to three bytes for each unit of UTF-16.
    this.#reserve(10 + 3 * length);
    this.#varint(tag);
    if (length > SHORT || !this.#ascii(text)) this.#utf8(text);
  }

  bytes(tag: number, value: Uint8Array): void {
    this.#reserve(10 + value.byteLength);
    this.#varint(tag);
    this.#varint(value.byteLength);
    this.#bytes.set(value, this.#pos);
    this.#pos += value.byteLength;
  }

  bool(tag: number, value: boolean): void {
    this.#reserve(6);
    this.#varint(tag);
    this.#bytes[this.#pos] = value ? 1 : 0;
    this.#pos += 1;
  }

  uint32(tag: number, value: number): void {
    this.#reserve(10);
    this.#varint(tag);
    this.#uint32(value);
  }

  int32(tag: number, value: number): void {
    if (value !== (value | 0)) throw new RangeError(`invalid int32: ${value}`);
    if (value >= 0) this.uint32(tag, value);
    else this.int64(tag, BigInt(value));
  }

  uint64(tag: number, value: bigint): void {
    const number = Number(value);
    if (number >= 0 && number <= Number.MAX_SAFE_INTEGER)
      this.#varint64(tag, number >>> 0, Math.floor(number / UINT32));
    else if (value >= 0n && value <= UINT64_MAX) this.#large64(tag, value);
    else throw new RangeError(`invalid uint64: ${value}`);
  }

  int64(tag: number, value: bigint): void {
    const number = Number(value);
    if (number >= 0 && number <= Number.MAX_SAFE_INTEGER)
      this.#varint64(tag, number >>> 0, Math.floor(number / UINT32));
    else if (value >= ~INT64_MAX && value <= INT64_MAX) this.#large64(tag, BigInt.asUintN(64, value));
    else throw new RangeError(`invalid int64: ${value}`);
  }

  double(tag: number, value: number): void {
    this.#reserve(13);
    this.#varint(tag);
    this.#double(value);
  }

  /** A whole number below 2⁵³. */
  fixed64(tag: number, value: number): void {
    this.#reserve(13);
    this.#varint(tag);
    this.#fixed64(value);
  }

  /** Lists of numbers in one field each. */
  doubles(tag: number, values: readonly number[]): void {
    this.#reserve(10 + 8 * values.length);
    this.#varint(tag);
    this.#varint(8 * values.length);
    for (const value of values) this.#double(value);
  }

  fixed64s(tag: number, values: readonly number[]): void {
    this.#reserve(10 + 8 * values.length);
    this.#varint(tag);
    this.#varint(8 * values.length);
    for (const value of values) this.#fixed64(value);
  }

  /** A list of numbers in one field; one without any is left out. */
  uint32s(tag: number, values: readonly number[]): void {
    if (values.length === 0) return;
    const start = this.fork(tag);
    this.#reserve(5 * values.length);
    for (const value of values) this.#uint32(value);
    this.join(start);
  }

  unknown({ $unknown }: Unknowns): void {
    if ($unknown === undefined) return;
    for (const { no, wireType, data } of $unknown) {
      this.#reserve(5 + data.byteLength);
      this.#varint(((no << 3) | wireType) >>> 0);
      this.#bytes.set(data, this.#pos);
      this.#pos += data.byteLength;
    }
  }

  /** Bytes as they stand, which are whole fields. */
  raw(fields: Uint8Array): void {
    this.#reserve(fields.byteLength);
    this.#bytes.set(fields, this.#pos);
    this.#pos += fields.byteLength;
  }

  #double(value: number): void {
    this.#pos = this.#bytes.writeDoubleLE(value, this.#pos);
  }

  #fixed64(value: number): void {
    this.#bytes.writeUInt32LE(value >>> 0, this.#pos);
    this.#pos = this.#bytes.writeUInt32LE(Math.floor(value / UINT32), this.#pos + 4);
  }

  #ascii(text: string): boolean {
    const bytes = this.#bytes;
    const { length } = text;
    const start = this.#pos + 1;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[start + i] = code;
    }
    bytes[this.#pos] = length;
    this.#pos = start + length;
    return true;
  }

  #utf8(text: string): void {
    const guess = varintSize(text.length);
    const start = this.#pos + guess;
    const length = this.#bytes.write(text, start, "utf8");
    const size = varintSize(length);
    if (size !== guess) this.#bytes.copyWithin(start - guess + size, start, start + length);
    this.#varint(length);
    this.#pos += length;
  }

  #uint32(value: number): void {
    if (value >>> 0 !== value) throw new RangeError(`invalid uint32: ${value}`);
    this.#varint(value);
  }

  #large64(tag: number, value: bigint): void {
    this.#varint64(tag, Number(value & 0xffff_ffffn), Number(value >> 32n));
  }

  /** The lower and the upper 32 bits of a number. */
  #varint64(tag: number, lower: number, upper: number): void {
    this.#reserve(15);
    this.#varint(tag);
    let low = lower;
    let high = upper;
    while (high > 0) {
      this.#bytes[this.#pos] = (low & 0x7f) | 0x80;
      this.#pos += 1;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#varint(low);
  }

  /** There is room for it, and it is a whole number from 0 to 2³² - 1. */
  #varint(value: number): void {
    const bytes = this.#bytes;
    let pos = this.#pos;
    let left = value;
    while (left > 0x7f) {
      bytes[pos] = (left & 0x7f) | 0x80;
      pos += 1;
      left >>>= 7;
    }
    bytes[pos] = left;
    this.#pos = pos + 1;
  }

  #reserve(size: number): void {
    const needed = this.#pos + size;
    if (needed <= this.#bytes.byteLength) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.byteLength));
    this.#bytes.copy(larger, 0, 0, this.#pos);
    this.#bytes = larger;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let left = value; left > 0x7f; left = Math.floor(left / 0x80)) size += 1;
  return size;
}
