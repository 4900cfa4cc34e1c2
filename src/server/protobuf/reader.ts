/**
 * Reads protobuf's wire format for the codecs in `gen/codec.ts`. What it takes and what it refuses is what `@bufbuild/protobuf`
 * takes and refuses, so that a message means the same whichever of the two has read it.
 */

/** How deep messages and groups may lie in one another. */
const MOST_DEPTH = 100;

/** More than the bytes of any varint. */
const VARINT_BYTES = 10;

/** Bytes up to which a name is known again; reading a longer one costs more than making it anew. */
const LONGEST_KNOWN = 32;
/** A power of two. */
const KNOWN_NAMES = 1_024;

const WIRE = { varint: 0, bit64: 1, lengthDelimited: 2, startGroup: 3, endGroup: 4, bit32: 5 } as const;

const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads one message at a time; each method reads at `pos` and moves it on. Throws where the bytes end or mean nothing. */
export class Reader {
  pos = 0;
  /** How many messages the one that is read lies in, itself included. */
  depth = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #end = 0;
  readonly #names: string[] = Array.from({ length: KNOWN_NAMES }, () => "");

  /** Begins with a message, and returns where it ends. */
  begin(bytes: Uint8Array): number {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.byteLength;
    this.pos = 0;
    this.depth = 1;
    return this.#end;
  }

  /** Begins with a message inside the one that is read, and returns where it ends, which may be too far. */
  enter(): number {
    const length = this.uint32();
    this.depth += 1;
    return this.pos + length;
  }

  /** The number of the next field, and its wire type in the lower three bits. */
  tag(): number {
    const first = this.#byteAt(this.pos);
    if (first >= 0x08 && first < 0x80 && (first & 7) <= WIRE.bit32) {
      this.pos += 1;
      return first;
    }
    return this.#longTag();
  }

  string(): string {
    const length = this.uint32();
    const start = this.pos;
    this.#skipBytes(length);
    return this.#text(start);
  }

  /**
   * A text that was most often read before, such as the name of a limiter: then it is the same string, which takes no memory, is
   * hashed, and costs a third of a new one.
   */
  name(): string {
    const length = this.uint32();
    const start = this.pos;
    this.#skipBytes(length);
    if (length > LONGEST_KNOWN) return this.#text(start);
    let hash = length;
    for (let i = start; i < this.pos; i++) hash = Math.imul(hash ^ (this.#bytes[i] as number), 0x01000193);
    const place = (hash ^ (hash >>> 16)) & (KNOWN_NAMES - 1);
    const known = this.#names[place] as string;
    if (this.#is(known, start, length)) return known;
    const text = this.#text(start);
    this.#names[place] = text;
    return text;
  }

  bytes(): Uint8Array {
    const length = this.uint32();
    const start = this.pos;
    this.#skipBytes(length);
    return this.#bytes.subarray(start, this.pos);
  }

  bool(): boolean {
    const first = this.#byteAt(this.pos);
    if (first >= 0x80) return this.uint64() !== 0n;
    this.pos += 1;
    return first !== 0;
  }

  int32(): number {
    return this.uint32() | 0;
  }

  /** Of a longer varint the lower 32 bits. */
  uint32(): number {
    const first = this.#byteAt(this.pos);
    if (first < 0x80) {
      this.pos += 1;
      return first;
    }
    let value = 0;
    for (let i = 0; i < VARINT_BYTES; i++) {
      const byte = this.#byteAt(this.pos);
      this.pos += 1;
      // A shift by 35 would be one by 3.
      if (i < 5) value |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) return value >>> 0;
    }
    throw new Error("invalid varint");
  }

  /** Reads one number of a list, or all that are packed in one field. */
  uint32s(tag: number, into: number[]): void {
    if ((tag & 7) !== WIRE.lengthDelimited) {
      into.push(this.uint32());
      return;
    }
    const length = this.uint32();
    const end = this.pos + length;
    while (this.pos < end) into.push(this.uint32());
  }

  /** Adds to a list that most often has one item: as a list of one it takes a third of the memory of one that grows. */
  added<T>(list: T[], item: T): T[] {
    if (list.length === 0) return [item];
    list.push(item);
    return list;
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  uint64(): bigint {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < VARINT_BYTES; i++) {
      const byte = this.#byteAt(this.pos + i);
      // Whole numbers of up to 49 bits are exact in a double.
      if (i === 7) return this.#longUint64();
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
      if (byte >= 0x80) continue;
      this.pos += i + 1;
      return BigInt(value);
    }
    throw new Error("invalid varint");
  }

  /** Leaves out a field whose tag was read. */
  skip(tag: number): void {
    this.#skip(tag, MOST_DEPTH - this.depth);
  }

  #skip(tag: number, depthLeft: number): void {
    switch (tag & 7) {
      case WIRE.varint:
        while (this.#byteAt(this.pos) >= 0x80) this.pos += 1;
        this.pos += 1;
        return;
      case WIRE.bit64:
        this.#skipBytes(8);
        return;
      case WIRE.bit32:
        this.#skipBytes(4);
        return;
      case WIRE.lengthDelimited:
        this.#skipBytes(this.uint32());
        return;
      case WIRE.startGroup:
        this.#skipGroup(tag >>> 3, depthLeft);
        return;
      default:
        throw new Error(`cannot skip wire type ${tag & 7}`);
    }
  }

  #skipGroup(number: number, depthLeft: number): void {
    if (depthLeft <= 0) throw new Error("maximum recursion depth reached");
    for (;;) {
      const tag = this.tag();
      if ((tag & 7) !== WIRE.endGroup) this.#skip(tag, depthLeft - 1);
      else if (tag >>> 3 === number) return;
      else throw new Error("invalid end group tag");
    }
  }

  #longTag(): number {
    const start = this.pos;
    const tag = this.uint32();
    const length = this.pos - start;
    if (length > 5 || (length === 5 && this.#byteAt(this.pos - 1) > 0x0f)) {
      throw new Error("illegal tag: varint overflows uint32");
    }
    if (tag >>> 3 === 0 || (tag & 7) > WIRE.bit32) {
      throw new Error(`illegal tag: field no ${tag >>> 3} wire type ${tag & 7}`);
    }
    return tag;
  }

  #longUint64(): bigint {
    let value = 0n;
    for (let i = 0; i < VARINT_BYTES; i++) {
      const byte = this.#byteAt(this.pos);
      this.pos += 1;
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new Error("invalid varint");
  }

  /** From `start` to `pos`. */
  #text(start: number): string {
    const text = this.#bytes.toString("utf8", start, this.pos);
    // Bytes that are no UTF-8 become this character. It may also have been sent.
    return text.includes("\ufffd") ? STRICT_UTF8.decode(this.#bytes.subarray(start, this.pos)) : text;
  }

  /** Whether the bytes are this text, and ASCII: any other text has fewer characters than bytes. */
  #is(text: string, start: number, length: number): boolean {
    if (text.length !== length) return false;
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== this.#bytes[start + i]) return false;
    return true;
  }

  #byteAt(index: number): number {
    if (index >= this.#end) throw new RangeError("premature EOF");
    return this.#bytes[index] as number;
  }

  #skipBytes(length: number): void {
    this.pos += length;
    if (this.pos > this.#end) throw new RangeError("premature EOF");
  }
}
