import type { Upload } from "../check/attachments.ts";
import type { Delivery } from "../interactions/delivery.ts";
import type { World } from "../state/world.ts";
import type { RateLimitName } from "./rate-limits.ts";

export interface RestRequest {
  world: World;
  delivery: Delivery;
  params: Record<string, string>;
  query: URLSearchParams;
  /** Parsed JSON; undefined when there was no body. */
  body: unknown;
  /** Files that came with the body. */
  uploads: readonly Upload[];
}

export interface RestAnswer {
  status: number;
  /** Absent for 204. */
  body?: unknown;
}

export interface Route {
  method: string;
  /** Below /api/v10; `:name` takes one segment. */
  pattern: string;
  limit: RateLimitName;
  /** Parameters that give a bucket of its own, as the channel. */
  resource: string[];
  /** Whether the route needs `Authorization: Bot …`. Those that do count into the global limit. */
  auth: boolean;
  /** Whether the body may be a form with files. */
  files?: boolean;
  handle(request: RestRequest): RestAnswer | Promise<RestAnswer>;
}

export const ok = (body: unknown): RestAnswer => ({ status: 200, body });
export const noContent: RestAnswer = { status: 204 };

/** The parameters of a path that fits a pattern; null when it does not. */
export function matchPath(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? "";
    if (part.startsWith(":")) {
      if (value === "") return null;
      params[part.slice(1)] = value;
    } else if (part !== value) return null;
  }
  return params;
}
