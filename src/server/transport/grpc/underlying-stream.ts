/** The HTTP/2 stream beneath a call of grpc-js, which does not show it. */

import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { ANONYMOUS, type Caller } from "../../access/caller.ts";
import type { Http2Connection, Http2Sessions } from "../http2/sessions.ts";

export interface Beneath {
  readonly stream: ServerHttp2Stream;
  readonly connection: Http2Connection;
  readonly caller: Caller;
  /** The one listener that is called when the stream is closed: each more of the stream's own would cost 200 bytes. */
  onClose: () => void;
}

export interface GrpcBeneath {
  /** Names the stream in its headers, which grpc-js hands on as metadata. */
  label(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, caller: Caller): void;
  /** What is beneath a call that is to be answered; undefined if it is over before it was begun. */
  of(call: LabelledCall): Beneath | undefined;
  /** Takes out what a client may have written where a label stands: nobody was asked who makes this call. */
  leaveUnlabelled(headers: IncomingHttpHeaders): void;
  /** Who makes a call: anonymous, if it was left unlabelled; undefined: it is over. */
  callerOf(call: LabelledCall): Caller | undefined;
}

interface LabelledCall {
  readonly metadata: { get(key: string): readonly unknown[] };
}

const KEY = "ggen-stream";

export function createGrpcBeneath(sessions: Http2Sessions): GrpcBeneath {
  const open = new Map<string, Beneath>();
  let latestId = 0;
  return {
    label(stream, headers, caller) {
      latestId += 1;
      const id = String(latestId);
      headers[KEY] = id;
      const connection = stream.session && sessions.of(stream.session);
      if (connection === undefined) return;
      const beneath: Beneath = { stream, connection, caller, onClose: NOTHING };
      open.set(id, beneath);
      stream.on("close", () => {
        open.delete(id);
        beneath.onClose();
      });
    },
    of(call) {
      const beneath = open.get(String(call.metadata.get(KEY)[0]));
      // A deadline that passed, or a fault in the request, has been answered by grpc-js itself; once the request is
      // complete it calls the handler all the same, and never says that the call is over.
      return beneath?.stream.writableEnded ? undefined : beneath;
    },
    leaveUnlabelled(headers) {
      if (KEY in headers) delete headers[KEY];
    },
    callerOf(call) {
      const [id] = call.metadata.get(KEY);
      return id === undefined ? ANONYMOUS : open.get(String(id))?.caller;
    },
  };
}

const NOTHING = () => {};
