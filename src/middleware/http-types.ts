/** The parts of Node's HTTP/1.1 and HTTP/2 objects that are used here; those of Express and Fastify's `raw` are the same. */

export interface HttpRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersionMajor?: number | undefined;
  readonly socket?: object | null | undefined;
}

export interface HttpResponse {
  statusCode: number;
  readonly headersSent: boolean;
  readonly writableEnded?: boolean | undefined;
  readonly destroyed?: boolean | undefined;
  /** Of HTTP/2. */
  readonly stream?: { readonly destroyed: boolean } | null | undefined;
  setHeader(name: string, value: string): unknown;
  end(body: string): unknown;
  destroy(): unknown;
  once(event: string, listener: () => void): unknown;
  removeListener(event: string, listener: () => void): unknown;
}

/** What a connection is, where it is one. */
export interface Closable {
  readonly destroyed?: boolean | undefined;
  once(event: "close", listener: () => void): unknown;
}
