import { RESTIC_V2 } from "../../../schemas/index.ts";
import { ADDRESS, newAddress, ORIGIN, run, snowflake, textOf, worker } from "../../testing/interactions.ts";
import { serverNamed, sha256, TestAgent } from "../../testing/test-agent.ts";

/** Calls of one repository: as a host's agent, or as the `restic` program with a credential. */
export interface Caller {
  call(method: string, path: string, body?: Uint8Array | ReadableStream, headers?: Record<string, string>): Promise<Response>;
}

/** The `restic` program with a credential out of an answer of `/backup credentials`. */
export class ResticProgram implements Caller {
  readonly #user: string;
  readonly #password: string;
  readonly url: string;
  address = newAddress();

  constructor(line: string, lie: { password?: string } = {}) {
    const [, user = "", password = "", rest = ""] = /rest:https:\/\/([^:]+):([^@]+)@([^\s'"`\\]+)/.exec(line) ?? [];
    if (user === "") throw new Error(`there is no credential in ${line}`);
    this.#user = user;
    this.#password = lie.password ?? password;
    this.url = rest;
  }

  /** Makes one by the real command. */
  static async allowed(guild: string, options: Record<string, unknown>): Promise<ResticProgram> {
    return new ResticProgram(textOf(await run({ guild }, "backup credentials", { server: "island", ...options })));
  }

  /** The same with another password. */
  guessing(password: string): ResticProgram {
    return new ResticProgram(`rest:https://${this.#user}:${this.#password}@${this.url}`, { password });
  }

  call(method: string, path: string, body?: Uint8Array | ReadableStream, headers: Record<string, string> = {}): Promise<Response> {
    const authorization = `Basic ${btoa(`${this.#user}:${this.#password}`)}`;
    return worker(
      new Request(`${ORIGIN}${path}`, {
        method,
        headers: { authorization, accept: RESTIC_V2, [ADDRESS]: this.address, ...lengthOf(body), ...headers },
        ...(body === undefined ? {} : { body }),
      }),
    );
  }
}

/** A host's agent. */
export function asAgent(agent: TestAgent): Caller {
  return {
    call: (method, path, body, headers = {}) =>
      agent.call(method, path, body, { headers: { accept: RESTIC_V2, ...lengthOf(body), ...headers } }),
  };
}

function lengthOf(body: Uint8Array | ReadableStream | undefined): Record<string, string> {
  return !(body instanceof Uint8Array) ? {} : { "content-length": String(body.byteLength), "content-type": "application/octet-stream" };
}

/** An enrolled host with a server called `island`. */
export async function hostWith(guild = snowflake(), name = "Base", server = "island") {
  const agent = await TestAgent.enrolled({ guild }, name, [serverNamed(server)]);
  await agent.poll();
  return { guild, agent, host: asAgent(agent) };
}

export const BASE = "/v1/repositories/island";

/** Bytes that nobody else has. */
export function content(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index += 1) bytes[index] = (index * 31 + (index >> 8) * seed + seed) & 255;
  return bytes;
}

/** Puts a file where its bytes belong and answers its name. */
export async function put(caller: Caller, type: string, bytes: Uint8Array, base = BASE): Promise<{ name: string; response: Response }> {
  const name = await sha256(bytes);
  return { name, response: await caller.call("POST", `${base}/${type}/${name}`, bytes) };
}

/** `403 repository-append-only`. */
export async function said(response: Response): Promise<string> {
  const text = await response.text();
  return text === "" ? String(response.status) : `${response.status} ${(JSON.parse(text) as { code?: string }).code ?? text}`;
}
