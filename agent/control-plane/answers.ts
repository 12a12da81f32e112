import * as z from "zod/mini";
import { type Problem, problem } from "../../schemas/index.ts";
import { AgentError, EXIT } from "../errors.ts";
import { unreachable } from "./exchange.ts";

/** Nothing that the Worker says in JSON is longer, in bytes; more is not from the Worker. */
export const ANSWER_BYTES_MAX = 1024 * 1024;

/** Codes that mean: this host is not known any more, and asking again does not help. */
export const REVOKED_CODES: ReadonlySet<string> = new Set(["host-revoked", "host-unknown"]);

/**
 * The parsed JSON body of a success.
 * @throws AgentError the problem that the Worker named, `control-plane-odd-answer` when the answer is not the Worker's,
 *   `control-plane-unavailable` for a 5xx of whatever stands before it, `control-plane-unreachable` when the answer broke off
 */
export async function readAnswer<T extends z.ZodMiniType>(response: Response, schema: T): Promise<z.infer<T>> {
  if (!response.ok) throw await refusal(response);
  const parsed = schema.safeParse(await readJson(response));
  if (!parsed.success) throw oddAnswer(response, z.prettifyError(parsed.error).split("\n", 1)[0] ?? "");
  return parsed.data;
}

/** The problem that a refusal names, or undefined when its body is not ours. Reads the body. */
export async function readProblem(response: Response): Promise<Problem | undefined> {
  const parsed = problem.safeParse(await readJson(response).catch(ignoreOdd));
  return parsed.success ? parsed.data : undefined;
}

/** A refusal as an error. Reads the body. */
export async function refusal(response: Response): Promise<AgentError> {
  const named = await readProblem(response);
  if (named !== undefined) {
    const final = REVOKED_CODES.has(named.code) || response.status === 426;
    const temporary = response.status === 429 || response.status >= 500;
    const exitCode =
      final || response.status === 401 || response.status === 403 ? EXIT.refused : temporary ? EXIT.unavailable : EXIT.failed;
    return new AgentError(named.code, named.message, { exitCode });
  }
  if (response.status >= 500 || response.status === 429) {
    return new AgentError("control-plane-unavailable", `the control plane answered ${response.status}; it is tried again later`, {
      exitCode: EXIT.unavailable,
    });
  }
  return oddAnswer(response, "");
}

async function readJson(response: Response): Promise<unknown> {
  const text = await readText(response);
  try {
    return JSON.parse(text);
  } catch {
    throw oddAnswer(response, "no JSON");
  }
}

/** The body, unless it is longer than any of ours. */
async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > ANSWER_BYTES_MAX) throw oddAnswer(response, "too long");
      text += decoder.decode(chunk, { stream: true });
    }
  } catch (error) {
    throw error instanceof AgentError ? error : unreachable(originOf(response), error);
  }
  return text + decoder.decode();
}

function oddAnswer(response: Response, detail: string): AgentError {
  const type = response.headers.get("content-type") ?? "no content type";
  return new AgentError(
    "control-plane-odd-answer",
    `the answer (${response.status}, ${type}) is not from ReconSync${detail === "" ? "" : `: ${detail}`}. ` +
      "Check the address, and whether a proxy or a login page stands between this host and the control plane",
    { exitCode: EXIT.unavailable },
  );
}

function originOf(response: Response): string {
  return response.url === "" ? "the control plane" : new URL(response.url).origin;
}

function ignoreOdd(error: unknown): undefined {
  if (error instanceof AgentError && error.code === "control-plane-odd-answer") return undefined;
  throw error;
}
