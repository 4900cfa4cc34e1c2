/** A streaming call of grpc-js as services see it. */

import { constants } from "node:http2";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import type { Caller } from "../../access/caller.ts";
import type { Clock } from "../../clock.ts";
import type { Write } from "../../protobuf/codec.ts";
import type { BidiStream, Call, ServerStream, StreamEnd, UnaryCall } from "../../service/rpc.ts";
import { credentialExpired, type WireError } from "../../wire/error-wire.ts";
import type { ReaderGuard, WatchedReader } from "../http2/reader-guard.ts";
import { type MethodTimes, OK, type StatusCode } from "../rpc/call-times.ts";
import type { CallerCheck } from "../rpc/caller-check.ts";
import type { Dispatcher } from "../rpc/dispatch.ts";
import { STREAM_WINDOW } from "../rpc/window.ts";
import { codeOfGone, headerOf, timeLeftOf, type WithMetadata } from "./due.ts";
import { statusOf } from "./status.ts";
import { OK_TRAILERS } from "./trailers.ts";
import type { Beneath } from "./underlying-stream.ts";

/** What the streams of one method share. */
export interface GrpcStreamOptions {
  readonly method: DescMethod;
  readonly encode: Write;
  readonly times: MethodTimes;
  readonly dispatcher: Dispatcher;
  readonly callers: CallerCheck;
  readonly readers: ReaderGuard;
  readonly clock: Clock;
}

const NOTHING = () => {};

type AnyCall = ServerWritableStream<Message, Buffer> | ServerDuplexStream<Message, Buffer>;

export class GrpcServerStream implements ServerStream<Message> {
  readonly probed = true;
  span: Call["span"];
  readonly #call: AnyCall;
  readonly #beneath: Beneath;
  readonly #options: GrpcStreamOptions;
  readonly #reader: WatchedReader;
  readonly #beganAt: number;
  #unsent = 0;
  /** Since the reader was last up to date; it has time for all of them. */
  #unsentBytes = 0;
  #behind = false;
  #ended = false;
  #onWritable: () => void = NOTHING;
  #onEnd: (how: StreamEnd) => void = NOTHING;
  #giveBackPlace: () => void = NOTHING;

  constructor(call: AnyCall, beneath: Beneath, options: GrpcStreamOptions) {
    this.#call = call;
    this.#beneath = beneath;
    this.#options = options;
    this.#beganAt = options.times.began();
    const { stream, connection } = beneath;
    const leave = () => this.#leave(connection.howStreamEnded());
    this.#reader = options.readers.watch(() => {
      this.#leave("lost");
      if (!stream.destroyed) stream.close(constants.NGHTTP2_CANCEL);
    });
    const stopWatching = options.callers.watch(beneath.caller, () => this.breakOff(credentialExpired()));
    beneath.onClose = () => {
      stopWatching();
      this.#reader.stop();
      leave();
      this.#giveBackPlace();
    };
    // Its deadline has passed; the stream stays open until its client has heard of it.
    call.on("cancelled", leave);
  }

  get caller(): Caller {
    return this.#beneath.caller;
  }

  get peer(): string {
    return this.#beneath.connection.peer;
  }

  get timeout(): number | undefined {
    return timeLeftOf(this.#call, this.#options.clock);
  }

  header(name: string): string | undefined {
    return headerOf(this.#call, name);
  }

  /** It has, or waits for, a place on its connection, which `giveBack` gives back. */
  placed(giveBack: () => void): void {
    this.#giveBackPlace = giveBack;
  }

  send(message: Message): boolean {
    if (this.#ended) return true;
    try {
      const bytes = this.#options.encode(message);
      this.#call.write(bytes, this.#onWritten);
      this.#unsentBytes += bytes.byteLength;
      if (this.#unsent === 0) this.#reader.owe(this.#unsentBytes);
    } catch (thrown) {
      this.breakOff(thrown);
      return true;
    }
    this.#unsent += 1;
    if (this.#unsent < STREAM_WINDOW) return true;
    this.#behind = true;
    this.onBehind();
    return false;
  }

  onWritable(listener: () => void): void {
    this.#onWritable = listener;
  }

  end(): void {
    if (this.#ended) return;
    this.#over(OK);
    this.#call.end(OK_TRAILERS);
  }

  fail(error: WireError): void {
    if (this.#ended) return;
    this.#options.dispatcher.refused(this.#options.method, error, this);
    this.endWith(error);
  }

  /** Ends the stream with what its caller hears of something that was thrown. */
  failOf(thrown: unknown): void {
    if (!this.#ended) this.endWith(this.#options.dispatcher.errorOf(this.#options.method, thrown, this));
  }

  protected endWith(error: WireError): void {
    this.#over(error.code);
    // This is how grpc-js takes the status of a stream: it is sent after what was written.
    this.#call.emit("error", statusOf(error));
  }

  onEnd(listener: (how: StreamEnd) => void): void {
    this.#onEnd = listener;
  }

  /** Ends the stream for a fault that its service does not know of; what the service holds by it is orphaned. */
  protected breakOff(thrown: unknown): void {
    if (this.#ended) return;
    this.failOf(thrown);
    this.#onEnd("lost");
  }

  /** Whether it is over, whichever side ended it. */
  get ended(): boolean {
    return this.#ended;
  }

  protected get isBehind(): boolean {
    return this.#behind;
  }

  protected onBehind(): void {}
  protected onCaughtUp(): void {}

  /** The write of one message has left this process. grpc-js's own measure, 16 messages, is far too lenient. */
  readonly #onWritten = (): void => {
    this.#unsent -= 1;
    if (this.#unsent === 0) this.#unsentBytes = 0;
    this.#reader.owe(this.#unsentBytes);
    if (!this.#behind || this.#unsent > 0 || this.#ended) return;
    this.#behind = false;
    this.onCaughtUp();
    this.#onWritable();
  };

  #leave(how: StreamEnd): void {
    if (this.#ended) return;
    this.#over(codeOfGone(this.#call, this.#options.clock));
    this.#onEnd(how);
  }

  #over(code: StatusCode): void {
    this.#ended = true;
    this.#options.times.ended(this.#beganAt, code);
  }
}

/** Requests are read only while the reader of the answers keeps up, so that nothing piles up between the two. */
export class GrpcBidiStream extends GrpcServerStream implements BidiStream<Message, Message> {
  readonly #call: ServerDuplexStream<Message, Buffer>;
  readonly #options: GrpcStreamOptions;
  #paused = false;

  constructor(call: ServerDuplexStream<Message, Buffer>, beneath: Beneath, options: GrpcStreamOptions) {
    super(call, beneath, options);
    this.#call = call;
    this.#options = options;
  }

  onMessage(listener: (message: Message) => void): void {
    this.#call.on("data", (message: Message) => {
      // What comes after the end is read and dropped, or the client could not finish.
      if (this.ended) return;
      try {
        this.#options.dispatcher.check(this.#options.method, message);
        listener(message);
      } catch (thrown) {
        this.breakOff(thrown);
      }
    });
  }

  onHalfClose(listener: () => void): void {
    this.#call.on("end", () => {
      if (!this.ended) listener();
    });
  }

  override end(): void {
    super.end();
    this.#call.resume();
  }

  protected override endWith(error: WireError): void {
    super.endWith(error);
    this.#call.resume();
  }

  pause(): void {
    if (this.#paused || this.ended) return;
    this.#paused = true;
    this.#call.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.isBehind) this.#call.resume();
  }

  protected override onBehind(): void {
    this.#call.pause();
  }

  protected override onCaughtUp(): void {
    if (!this.#paused) this.#call.resume();
  }
}

/** A call that is answered once. */
export class GrpcCall implements UnaryCall {
  readonly caller: Caller;
  span: Call["span"];
  readonly #call: UnaryOfGrpc;
  readonly #clock: Clock;

  constructor(call: UnaryOfGrpc, { caller, clock }: { readonly caller: Caller; readonly clock: Clock }) {
    this.caller = caller;
    this.#call = call;
    this.#clock = clock;
  }

  get peer(): string {
    return this.#call.getPeer();
  }

  get timeout(): number | undefined {
    return timeLeftOf(this.#call, this.#clock);
  }

  header(name: string): string | undefined {
    return headerOf(this.#call, name);
  }

  onGone(listener: () => void): void {
    if (this.#call.cancelled) listener();
    else this.#call.once("cancelled", listener);
  }
}

type UnaryOfGrpc = WithMetadata & {
  getPeer(): string;
  readonly cancelled: boolean;
  once(event: "cancelled", listener: () => void): unknown;
};
