import { TEST_BINDINGS } from "./settings.ts";

/**
 * Discord's network edge for the Worker's own tests: it takes every call to the API's address and answers what a test wants. The whole
 * sandbox plays this part in the end-to-end tests.
 */

export interface Call {
  method: string;
  path: string;
  body: { embeds?: { title?: string; description?: string; color?: number }[]; components?: unknown[]; nonce?: string };
  files?: File[];
}

type Answer = (call: Call) => Response | Promise<Response>;

const calls: Call[] = [];
let answer: Answer = ok;
const realFetch = globalThis.fetch;

/** A JSON body, or a form with files. */
async function contentOf(request: Request): Promise<Pick<Call, "body" | "files">> {
  if (request.headers.get("content-type")?.startsWith("multipart/form-data") !== true) {
    const text = await request.text();
    return { body: text === "" ? {} : JSON.parse(text) };
  }
  const form = await request.formData();
  const files = [...form.entries()].filter(([name]) => name !== "payload_json").map(([, file]) => file as unknown as File);
  return { body: JSON.parse(String(form.get("payload_json"))), files };
}

function ok(): Response {
  return Response.json({ id: "900000000000000009" });
}

globalThis.fetch = async (input: RequestInfo | URL, init?: RequestInit) => {
  const request = new Request(input as RequestInfo, init);
  if (!request.url.startsWith(TEST_BINDINGS.DISCORD_API_URL)) return realFetch(request);
  const path = request.url.slice(TEST_BINDINGS.DISCORD_API_URL.length);
  const call: Call = { method: request.method, path, ...(await contentOf(request)) };
  calls.push(call);
  return answer(call);
};

export const discordEdge = {
  /** Calls whose path holds this text, oldest first. */
  calls: (part: string) => calls.filter((call) => call.path.includes(part)),
  answer: (next: Answer) => {
    answer = next;
  },
  reset: () => {
    calls.length = 0;
    answer = ok;
  },
};
