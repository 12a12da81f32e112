import type { Problem } from "../../schemas/index.ts";
import type { LoopState } from "./beats.ts";
import { EXPOSITION_TYPE } from "./registry.ts";

/** What the health server asks for. */
export interface HealthFacts {
  version: string;
  uptimeSeconds: number;
  loops: readonly LoopState[];
  notReady: readonly Problem[];
  /** Prometheus's text format. */
  metrics: () => string;
}

export interface Reply {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
}

const PATHS = ["/healthz", "/readyz", "/metrics"];

/** The answer to a request. Query strings are ignored. */
export function reply(method: string, target: string, facts: () => HealthFacts): Reply {
  const path = target.split("?", 1)[0] ?? "";
  if (!PATHS.includes(path)) return json(404, { code: "not-found", message: `there are ${PATHS.join(", ")}` });
  if (method !== "GET" && method !== "HEAD") {
    return json(405, { code: "method-not-allowed", message: "use GET or HEAD" }, { allow: "GET, HEAD" });
  }
  const known = facts();
  if (path === "/metrics") return { status: 200, headers: { "content-type": EXPOSITION_TYPE }, body: known.metrics() };
  return path === "/healthz" ? healthz(known) : readyz(known);
}

/** Whether the process is alive: 503 calls for a restart. */
function healthz({ version, uptimeSeconds, loops }: HealthFacts): Reply {
  const late = loops.filter(({ lateSeconds }) => lateSeconds > 0);
  return late.length === 0
    ? json(200, { status: "ok", version, uptimeSeconds: Math.round(uptimeSeconds), loops: loops.map(({ loop }) => loop) })
    : json(503, { status: "stuck", version, late });
}

/** Whether it can do its work: 503 calls for a look, not for a restart. */
function readyz({ notReady }: HealthFacts): Reply {
  return notReady.length === 0 ? json(200, { status: "ready" }) : json(503, { status: "not-ready", reasons: notReady });
}

function json(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: `${JSON.stringify(value)}\n` };
}
