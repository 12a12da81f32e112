import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "../clock.ts";
import type { HealthConfig } from "../config/host-config.ts";
import { isLoopback } from "../config/telemetry-config.ts";
import { backoff } from "../control-plane/backoff.ts";
import type { Logger } from "../logger.ts";
import type { Reply } from "./routes.ts";

/** Bounds of one request, in milliseconds: whoever asks is near, and asks for little. */
const HEADERS_TIMEOUT_MS = 5000;
const REQUEST_TIMEOUT_MS = 10_000;
/** How often Node looks for requests above these bounds, in milliseconds. */
const TIMEOUT_CHECK_MS = 1000;
/** A scraper, two probes and a person, several times over. */
const CONNECTIONS_MAX = 32;
const HEADER_BYTES_MAX = 8 * 1024;

export interface HealthServerDeps {
  answer: (method: string, target: string) => Reply;
  clock: Clock;
  log: Logger;
  /** At least 0, below 1. */
  random: () => number;
}

/** The HTTP server of health and metrics. A port that is taken is told and tried again: it never hinders the agent's work. */
export class HealthServer {
  readonly #deps: HealthServerDeps;
  #at: HealthConfig | undefined;
  #stop = new AbortController();
  #life: Promise<void> = Promise.resolve();
  /** Where it listens now. */
  listening: { address: string; port: number } | undefined;

  constructor(deps: HealthServerDeps) {
    this.#deps = deps;
  }

  /** Listens there from now on; nowhere when undefined. */
  apply(at: HealthConfig | undefined): void {
    if (at?.address === this.#at?.address && at?.port === this.#at?.port) return;
    this.#at = at;
    this.#stop.abort();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const next = () => (at === undefined || signal.aborted ? undefined : this.#live(at, signal));
    this.#life = this.#life
      .then(next)
      .catch((error: unknown) => this.#deps.log.error({ err: error }, "the health server ended unexpectedly"));
  }

  async stop(): Promise<void> {
    this.apply(undefined);
    await this.#life;
  }

  async #live(at: HealthConfig, signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#deps;
    for (let failures = 0; !signal.aborted; ) {
      const server = this.#create();
      const error = await listen(server, at);
      if (error === undefined) {
        if (failures > 0) log.info(at, "health and metrics are served now");
        await this.#serve(server, at, signal);
        failures = 0;
        continue;
      }
      failures += 1;
      this.#tell(at, error, failures);
      await clock.sleep(backoff(failures, random()), signal).catch((reason: unknown) => {
        if (!signal.aborted) throw reason;
      });
    }
  }

  /** Until the signal fires, or the server breaks. */
  async #serve(server: Server, { address }: HealthConfig, signal: AbortSignal): Promise<void> {
    const { log } = this.#deps;
    const { port } = server.address() as AddressInfo;
    this.listening = { address, port };
    log.debug({ address, port }, "health and metrics are served");
    if (!isLoopback(address)) {
      log.warn({ address, port }, "health and metrics can be reached from other machines: let a firewall decide who reads them");
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    server.once("error", (error) => {
      log.warn({ err: error }, "the health server broke; it starts again");
      resolve();
    });
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
    await promise;
    this.listening = undefined;
    await close(server);
    log.debug({ address, port }, "health and metrics are not served any more");
  }

  #create(): Server {
    const server = createServer(
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: TIMEOUT_CHECK_MS,
        maxHeaderSize: HEADER_BYTES_MAX,
        keepAlive: false,
      },
      (request, response) => this.#handle(request, response),
    );
    server.maxConnections = CONNECTIONS_MAX;
    // Also whoever does not read what it asked for.
    server.timeout = REQUEST_TIMEOUT_MS;
    return server;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const { answer, log } = this.#deps;
    let made: Reply;
    try {
      made = answer(request.method ?? "", request.url ?? "");
    } catch (error) {
      log.error({ err: error }, "could not answer a request for health or metrics");
      made = { status: 500, headers: { "content-type": "application/json" }, body: '{"code":"internal-error"}\n' };
    }
    response.writeHead(made.status, {
      ...made.headers,
      "content-length": Buffer.byteLength(made.body),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      // A connection a request: none is left open that nobody uses.
      connection: "close",
    });
    response.end(request.method === "HEAD" ? undefined : made.body);
  }

  #tell(at: HealthConfig, error: NodeJS.ErrnoException, failures: number): void {
    const { log } = this.#deps;
    const facts = { code: "health-unavailable", cause: error.code, ...at };
    const text = `health and metrics cannot be served on ${at.address} port ${at.port}: ${adviceOn(error)}. Jobs are not affected; it is tried again`;
    if (failures === 1) log.warn(facts, text);
    else log.debug(facts, text);
  }
}

function adviceOn({ code, message }: NodeJS.ErrnoException): string {
  if (code === "EADDRINUSE") return "another program has this port. Give health.port another one, or set health: false";
  if (code === "EACCES") return "this account may not use this port, or the system has reserved it. Give health.port one above 1024";
  if (code === "EADDRNOTAVAIL") return "this host does not have this address. Correct health.address";
  return `${message}. Correct health in config.yaml`;
}

/** Answers why it could not, or nothing. */
async function listen(server: Server, { address, port }: HealthConfig): Promise<NodeJS.ErrnoException | undefined> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException | undefined>();
  const onError = (error: NodeJS.ErrnoException) => resolve(error);
  server.once("error", onError);
  server.listen({ host: address, port, exclusive: true }, () => resolve(undefined));
  const error = await promise;
  server.off("error", onError);
  return error;
}

async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  await promise;
}
