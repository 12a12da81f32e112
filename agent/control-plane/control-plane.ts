import type { Traceparent } from "../../schemas/index.ts";

/** One authenticated request to the Worker. */
export interface ControlPlaneRequest {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** Such as `/v1/poll`. */
  path: string;
  /** Sent as JSON, with its content type. */
  json?: unknown;
  /** Sent as it is. A buffer, never a stream: a request must be able to go out twice. */
  body?: Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
  /** The span that the request belongs to. Default: that of the work in which it is sent, else a new trace. */
  traceparent?: Traceparent;
  signal?: AbortSignal;
  /** Bound of the whole request, in milliseconds. */
  timeoutMs: number;
}

/**
 * The Worker as this host sees it. `send` adds the access token, gets a new one when it has run out (also once after a 401), and
 * answers whatever the Worker answered. It does not retry anything else. It throws an AgentError `control-plane-unreachable` when there was
 * no answer, `not-enrolled` when this host has no identity, `host-revoked` when the guild no longer knows it.
 */
export interface ControlPlane {
  send(request: ControlPlaneRequest): Promise<Response>;
}

/** What a client needs that speaks a protocol of its own to the Worker, such as restic's. */
export interface RepositoryAccess {
  /** Such as `https://reconsync.example.workers.dev`. @throws as `ControlPlane.send` */
  readonly origin: string;
  /** The `Authorization` header of a request. `again`: the last one was not taken. @throws as `ControlPlane.send` */
  authorization(again: boolean): Promise<string>;
}
