import { performance } from "node:perf_hooks";
import { InteractionType } from "discord-api-types/v10";
import type { Upload } from "../check/attachments.ts";
import { isRecord } from "../check/form.ts";
import { checkResponse } from "../check/responses.ts";
import { isForm, readFormBody } from "../check/uploads.ts";
import { SandboxError } from "../errors.ts";
import { RestError } from "../rest/rest-error.ts";
import { BAD_SIGNATURE } from "../signing.ts";
import type { InteractionRecord } from "../state/interactions.ts";
import type { World } from "../state/world.ts";
import type { FailureCode, InteractionFailure, InteractionOutcome, RawOverrides } from "../types.ts";
import { type Applied, answeredInteraction, applyResponse, showFailure } from "./apply.ts";
import { pingInteraction } from "./bodies.ts";

/** Time for the first response. Source: Discord's reference, "Responding to an Interaction". */
export const RESPONSE_MS = 3000;

/** Time for calls whose answer the sandbox only hands on. */
const RAW_MS = 30_000;

/** Name under which Discord calls an endpoint. */
const USER_AGENT = "Discord-Interactions/1.0 (+https://discord.com)";

export type Delivered = InteractionOutcome & { choices?: Applied["choices"] };

class Failed extends Error {
  readonly failure: InteractionFailure;

  constructor(code: FailureCode, reason: string, errors?: InteractionFailure["errors"]) {
    super(reason);
    this.failure = { code, reason, ...(errors === undefined ? {} : { errors }) };
  }
}

/** Sends signed interactions to the application and carries out what it answers. */
export class Delivery {
  readonly #world: World;
  readonly #responseMs: number;
  readonly #stopping: AbortSignal;
  readonly #answers = new Map<string, Applied>();

  constructor(world: World, options: { responseMs: number; stopping: AbortSignal }) {
    this.#world = world;
    this.#responseMs = options.responseMs;
    this.#stopping = options.stopping;
  }

  async deliver(record: InteractionRecord): Promise<Delivered> {
    const started = performance.now();
    const outcome: Delivered = { interactionId: record.id, token: record.token, ok: false, status: null, elapsedMs: 0, response: null };
    const deadline = AbortSignal.timeout(this.#responseMs);
    this.#url();
    this.#world.interactions.add(record);
    try {
      const answer = await this.#post(record.body, {}, deadline).then((response) => read(response));
      outcome.status = answer.status;
      outcome.response = answer.json ?? null;
      Object.assign(outcome, await this.#take(record, answer, deadline), { ok: true });
    } catch (error) {
      const early = this.#answers.get(record.id);
      // A response that came through the callback route stands, whatever becomes of the HTTP request.
      if (early === undefined) this.#fail(record, outcome, this.#failureOf(error, deadline));
      else Object.assign(outcome, early, { ok: true });
    } finally {
      this.#answers.delete(record.id);
    }
    outcome.elapsedMs = performance.now() - started;
    return outcome;
  }

  /** Takes a response that came through `POST /interactions/:id/:token/callback`. The body has passed the checks. */
  takeCallback(record: InteractionRecord, response: Record<string, unknown>, uploads: readonly Upload[]): Applied {
    const applied = applyResponse(this.#world, record, { response, uploads });
    this.#answers.set(record.id, applied);
    return applied;
  }

  /** Sends any body; nothing is done with the answer. */
  async raw(body: unknown, overrides: RawOverrides = {}): Promise<Response> {
    const sent = typeof body === "string" ? body : JSON.stringify(body);
    return this.#post(sent, overrides, AbortSignal.timeout(RAW_MS));
  }

  /** Tries an endpoint as Discord does before it takes its address: a good PING, then one with a bad signature. */
  async verify(url: string): Promise<boolean> {
    const body = JSON.stringify(pingInteraction(this.#world));
    try {
      const good = await read(await this.#post(body, {}, AbortSignal.timeout(this.#responseMs), url));
      if (good.status !== 200 || !isRecord(good.json) || !checkResponse(good.json, { type: InteractionType.Ping, source: null }).ok)
        return false;
      const bad = await this.#post(body, { signature: BAD_SIGNATURE }, AbortSignal.timeout(this.#responseMs), url);
      await bad.body?.cancel();
      return bad.status === 401;
    } catch {
      return false;
    }
  }

  #fail(record: InteractionRecord, outcome: Delivered, failure: InteractionFailure): void {
    outcome.failure = failure;
    this.#world.interactions.fail(record, failure);
    // A failed completion leaves an empty list in the client, no notice in the channel.
    if (record.type !== InteractionType.ApplicationCommandAutocomplete) outcome.message = showFailure(this.#world, record, failure.reason);
  }

  async #take(record: InteractionRecord, answer: Answer, deadline: AbortSignal): Promise<Applied> {
    const early = this.#answers.get(record.id);
    if (early !== undefined) return early;
    if (answer.status === 202 || answer.status === 204) return this.#waitForCallback(record, deadline);
    if (answer.status !== 200) throw new Failed("http_status", `The endpoint answered HTTP ${answer.status}.`);
    const { refused } = answer;
    if (refused !== undefined) throw new Failed("invalid_response", `The form was refused: ${refused.message}`, refused.errors);
    if (!answer.isJson) throw new Failed("content_type", "The response has no Content-Type: application/json, and is no form either.");
    if (answer.json === undefined) throw new Failed("invalid_json", "The response is not JSON.");
    const form = checkResponse(answer.json, answeredInteraction(this.#world, record), answer.uploads);
    if (!form.ok || !isRecord(answer.json)) throw new Failed("invalid_response", form.summary(), form.errors());
    return applyResponse(this.#world, record, { response: answer.json, uploads: answer.uploads });
  }

  #waitForCallback(record: InteractionRecord, deadline: AbortSignal): Promise<Applied> {
    const ended = AbortSignal.any([deadline, this.#stopping]);
    return new Promise((resolve, reject) => {
      const stop = this.#world.events.on("interaction", (event) => {
        if (event.id !== record.id) return;
        stop();
        // The callback stores its answer right after this event.
        queueMicrotask(() => resolve(this.#answers.get(record.id) ?? {}));
      });
      const end = () => {
        stop();
        reject(ended.reason);
      };
      if (ended.aborted) end();
      else ended.addEventListener("abort", end, { once: true });
    });
  }

  #url(): string {
    if (this.#world.interactionsUrl !== null) return this.#world.interactionsUrl;
    throw new SandboxError("no_interactions_url", "The sandbox does not know where to send interactions: call setInteractionsUrl first.");
  }

  async #post(body: string, overrides: RawOverrides, timeout: AbortSignal, url = this.#url()): Promise<Response> {
    const timestamp = overrides.timestamp ?? String(Math.floor(this.#world.now() / 1000));
    const signature = overrides.signature ?? this.#world.key.sign(timestamp, body);
    const headers = new Headers({ "Content-Type": "application/json", "User-Agent": USER_AGENT });
    if (overrides.omit?.includes("signature") !== true) headers.set("X-Signature-Ed25519", signature);
    if (overrides.omit?.includes("timestamp") !== true) headers.set("X-Signature-Timestamp", timestamp);
    return fetch(url, { method: "POST", headers, body, redirect: "manual", signal: AbortSignal.any([timeout, this.#stopping]) });
  }

  #failureOf(error: unknown, deadline: AbortSignal): InteractionFailure {
    if (error instanceof Failed) return error.failure;
    if (deadline.aborted) return { code: "timeout", reason: `The application did not respond within ${this.#responseMs} ms.` };
    const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : "";
    return { code: "unreachable", reason: `The endpoint could not be reached: ${error instanceof Error ? error.message : error}${cause}.` };
  }
}

interface Answer {
  status: number;
  /** Whether it says that it is JSON, or a form that carries JSON. */
  isJson: boolean;
  json: unknown;
  uploads: readonly Upload[];
  /** Set for a form that Discord would not take. */
  refused?: RestError;
}

async function read(response: Response): Promise<Answer> {
  const contentType = response.headers.get("content-type");
  const { status } = response;
  if (status === 200 && contentType !== null && isForm(contentType)) {
    return { status, ...(await readForm(new Uint8Array(await response.arrayBuffer()), contentType)) };
  }
  const body = await response.text();
  return { status, isJson: contentType?.includes("application/json") === true, json: parseJson(body), uploads: [] };
}

async function readForm(body: Uint8Array<ArrayBuffer>, contentType: string): Promise<Omit<Answer, "status">> {
  try {
    return { isJson: true, ...(await readFormBody(body, contentType)) };
  } catch (error) {
    if (error instanceof RestError) return { isJson: true, json: undefined, uploads: [], refused: error };
    throw error;
  }
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
