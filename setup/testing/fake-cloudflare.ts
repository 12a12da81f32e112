import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export const API_TOKEN = "stand-in-for-a-cloudflare-api-token-0000";
export const ACCOUNT = { id: "c".repeat(32), name: "Basement" };

/** A stand-in for the few calls of Cloudflare's API that wrangler makes in a deployment. What it does not know, it writes down. */
export interface FakeCloudflare {
  url: string;
  buckets: string[];
  secrets: Map<string, string>;
  /** Metadata of the uploaded Worker, and the names of its modules. */
  uploaded: { metadata: Record<string, unknown>; modules: string[] } | undefined;
  unknown: string[];
}

export async function fakeCloudflare(): Promise<FakeCloudflare> {
  const cloudflare: FakeCloudflare = { url: "", buckets: [], secrets: new Map(), uploaded: undefined, unknown: [] };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      const url = new URL(request.url ?? "/", "http://localhost");
      const body = new Response(Buffer.concat(chunks), { headers: { "content-type": request.headers["content-type"] ?? "" } });
      const [status, answer] = await answerOf(cloudflare, `${request.method} ${url.pathname}`, body);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  cloudflare.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return cloudflare;
}

type Answer = [status: number, body: unknown];
const ok = (result: unknown, info: object = {}): Answer => [200, { success: true, errors: [], messages: [], result, result_info: info }];
const refused = (status: number, code: number, message: string): Answer => [
  status,
  { success: false, errors: [{ code, message }], messages: [], result: null },
];

async function answerOf(cloudflare: FakeCloudflare, call: string, body: Response): Promise<Answer> {
  const path = call.replace(`/accounts/${ACCOUNT.id}`, "");
  const none = refused(404, 10007, "This Worker does not exist on your account.");
  const there = cloudflare.uploaded !== undefined;
  switch (path) {
    case "GET /user":
      return ok({ id: "u", email: "owner@example.com" });
    case "GET /user/tokens/verify":
      return ok({ id: "t", status: "active" });
    case "GET /accounts":
      return ok([ACCOUNT], { page: 1, per_page: 20, count: 1, total_count: 1 });
    case "GET /memberships":
      return ok([{ id: "m", account: ACCOUNT, roles: [] }], { page: 1, per_page: 20, count: 1, total_count: 1 });
    case "POST /r2/buckets": {
      const { name } = (await body.json()) as { name: string };
      if (cloudflare.buckets.includes(name)) return refused(409, 10004, "The bucket you tried to create already exists, and you own it.");
      cloudflare.buckets.push(name);
      return ok({ name });
    }
    case "GET /r2/buckets/reef-backups":
      return cloudflare.buckets.includes("reef-backups")
        ? ok({ name: "reef-backups" })
        : refused(404, 10006, "The specified bucket does not exist.");
    case "GET /workers/services/reef":
      return there
        ? ok({ default_environment: { environment: "production", script: { tag: "tag", last_deployed_from: "wrangler" } } })
        : none;
    case "GET /workers/scripts/reef":
    case "GET /workers/scripts/reef/settings":
    case "GET /workers/scripts/reef/script-settings":
      return there ? ok({ tags: null, bindings: [] }) : none;
    case "GET /workers/scripts":
      return ok(there ? [{ id: "reef", migration_tag: "v1" }] : []);
    case "GET /workers/scripts/reef/deployments":
    case "GET /workers/scripts/reef/versions":
      return there ? ok({ deployments: [], items: [] }) : none;
    case "PUT /workers/scripts/reef": {
      const form = await body.formData();
      const metadata = JSON.parse(String(form.get("metadata"))) as Record<string, unknown>;
      cloudflare.uploaded = { metadata, modules: [...form.keys()].filter((name) => name !== "metadata") };
      return ok({ id: "reef", tag: "tag", deployment_id: "0123456789abcdef0123456789abcdef", startup_time_ms: 5 });
    }
    case "POST /workers/scripts/reef/versions": {
      const form = await body.formData();
      const metadata = JSON.parse(String(form.get("metadata"))) as Record<string, unknown>;
      cloudflare.uploaded = { metadata, modules: [...form.keys()].filter((name) => name !== "metadata") };
      return ok({ id: "0123456789abcdef0123456789abcdef", startup_time_ms: 5, resources: { script: { etag: "e" } } });
    }
    case "POST /workers/scripts/reef/deployments":
      return ok({ id: "d" });
    case "PATCH /workers/scripts/reef/script-settings":
      return ok({});
    case "GET /workers/workers/reef":
      return ok({ subdomain: { enabled: true, previews_enabled: false } });
    case "GET /workers/subdomain":
      return ok({ subdomain: "basement" });
    case "GET /workers/scripts/reef/subdomain":
    case "POST /workers/scripts/reef/subdomain":
      return ok({ enabled: true, previews_enabled: false });
    case "GET /workers/scripts/reef/secrets":
      return there ? ok([...cloudflare.secrets.keys()].map((name) => ({ name, type: "secret_text" }))) : none;
    case "PUT /workers/scripts/reef/secrets": {
      const { name, text } = (await body.json()) as { name: string; text: string };
      cloudflare.secrets.set(name, text);
      return ok({ name, type: "secret_text" });
    }
    default:
      cloudflare.unknown.push(call);
      return refused(404, 7003, `The stand-in does not know ${call}`);
  }
}
