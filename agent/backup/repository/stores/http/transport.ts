import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { SocketMemory } from "./socket-memory.ts";

/** A request as it goes out. */
export interface Outgoing {
  method: string;
  url: string;
  /** With `content-length` where there is a body. */
  headers: Record<string, string>;
  /** Taken one by one, as fast as the other side reads. Nothing of a piece is kept once the answer's end has been read. */
  body?: AsyncIterable<Uint8Array>;
}

/** An answer as it comes in. */
export interface Incoming {
  status: number;
  headers: Headers;
  /** Ends whatever still goes on of its request when it ends, or when nobody reads on. */
  body: AsyncIterable<Uint8Array>;
}

export interface Going {
  signal: AbortSignal;
  /** Told once there is a connection. */
  onConnected: () => void;
}

const socketMemory = new SocketMemory();

// As `require` gets them, and when they are needed: `import` looks at all that a module exports, and one export of node:http loads a whole client for WebSockets (30 ms).
const http = () => process.getBuiltinModule("node:http");
const https = () => process.getBuiltinModule("node:https");

/** Sends a request and resolves with the head of its answer. Redirects are not followed. */
export type Transport = (request: Outgoing, going: Going) => Promise<Incoming>;

/**
 * Over Node's own agents, which keep connections open and use them again. Unlike `fetch`, this takes memory that is shared between threads: the pieces of a
 * pack are sent from where they are.
 * @throws the error of the connection, whose `code` says what happened
 */
export const nodeTransport: Transport = async ({ method, url, headers, body }, { signal, onConnected }) => {
  const request = (url.startsWith("https:") ? https() : http()).request(url, { method, headers, signal });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once("response", resolve);
  // Stays: an error may follow the answer, when a body is refused before all of it was sent. Whoever reads the answer's body is told by that.
  request.on("error", reject);
  request.once("socket", (socket: Socket & { encrypted?: true }) => {
    socketMemory.follow(request, socket);
    if (socket.connecting) socket.once(socket.encrypted === true ? "secureConnect" : "connect", onConnected);
    else onConnected();
  });
  if (body === undefined) request.end();
  else sendBody(request, body).catch((error: unknown) => request.destroy(error instanceof Error ? error : new Error(String(error))));
  const answer = await promise;
  return { status: answer.statusCode ?? 0, headers: headersOf(answer), body: bodyOf(request, answer) };
};

async function sendBody(request: ClientRequest, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of body) {
    if (request.destroyed) return;
    if (!request.write(piece)) await drained(request);
  }
  request.end();
}

/** Until the request takes more, or none any more. */
function drained(request: ClientRequest): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => {
    request.off("drain", done);
    request.off("close", done);
    resolve();
  };
  request.on("drain", done);
  request.on("close", done);
  if (request.destroyed) done();
  return promise;
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at] as string, rawHeaders[at + 1] as string);
  return headers;
}

async function* bodyOf(request: ClientRequest, answer: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of answer as AsyncIterable<Buffer>) {
      socketMemory.learn(part);
      yield part;
    }
  } finally {
    if (!request.writableFinished) request.destroy();
  }
}
