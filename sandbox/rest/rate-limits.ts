import { createHash } from "node:crypto";

export interface RateLimit {
  limit: number;
  windowMs: number;
}

export type RateLimitName =
  | "global"
  | "message-create"
  | "message-edit"
  | "message-delete"
  | "message-read"
  | "webhook"
  | "interaction-callback"
  | "commands-write"
  | "other";

export type RateLimits = Record<RateLimitName, RateLimit>;

/**
 * Sizes like those that Discord's headers told. They are not promised: an application reads the headers.
 * Only the global one is documented (50 requests a second a bot; interaction routes do not count).
 */
export const DISCORD_LIKE_LIMITS: RateLimits = {
  global: { limit: 50, windowMs: 1000 },
  "message-create": { limit: 5, windowMs: 5000 },
  "message-edit": { limit: 5, windowMs: 5000 },
  "message-delete": { limit: 5, windowMs: 1000 },
  "message-read": { limit: 10, windowMs: 5000 },
  webhook: { limit: 5, windowMs: 5000 },
  "interaction-callback": { limit: 50, windowMs: 1000 },
  "commands-write": { limit: 5, windowMs: 20_000 },
  other: { limit: 10, windowMs: 10_000 },
};

const WIDE: RateLimit = { limit: 1000, windowMs: 1000 };

const BUCKETS_MAX = 10_000;

export function rateLimitsFrom(option: "wide" | Partial<RateLimits> | undefined): RateLimits {
  if (option !== "wide") return { ...DISCORD_LIKE_LIMITS, ...option };
  const names = Object.keys(DISCORD_LIKE_LIMITS) as RateLimitName[];
  return Object.fromEntries(names.map((name) => [name, WIDE])) as RateLimits;
}

interface Bucket {
  used: number;
  resetsAt: number;
  /** An injected 429 keeps the bucket closed until then. */
  closedUntil: number;
}

export interface Verdict {
  allowed: boolean;
  scope: "user" | "global" | "shared";
  retryAfterSeconds: number;
  headers: Record<string, string>;
}

/** Discord's per-route buckets, each keyed by its top-level resource, and the global one. Windows start at the first request. */
export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: RateLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  take(name: RateLimitName, resource: string, countsGlobally: boolean): Verdict {
    const now = this.#now();
    const bucket = this.#bucket(name, resource);
    if (countsGlobally) {
      const all = this.#bucket("global", "");
      if (full(all, this.#limits.global, now)) return this.#refuse("global", name, bucket, opensAt(all, this.#limits.global, now));
    }
    if (full(bucket, this.#limits[name], now)) return this.#refuse("user", name, bucket, opensAt(bucket, this.#limits[name], now));
    bucket.used += 1;
    if (countsGlobally) this.#bucket("global", "").used += 1;
    return { allowed: true, scope: "user", retryAfterSeconds: 0, headers: this.#headers(name, bucket) };
  }

  /** Closes a bucket for a while, as an injected 429 tells. Global takes in every route that counts globally. */
  close(name: RateLimitName, resource: string, seconds: number, scope: Verdict["scope"]): Verdict {
    const bucket = this.#bucket(name, resource);
    const until = this.#now() + seconds * 1000;
    (scope === "global" ? this.#bucket("global", "") : bucket).closedUntil = until;
    return this.#refuse(scope, name, bucket, until);
  }

  #refuse(scope: Verdict["scope"], name: RateLimitName, bucket: Bucket, until: number): Verdict {
    const retryAfterSeconds = Math.max(0.001, Math.ceil(until - this.#now()) / 1000);
    const headers: Record<string, string> = {
      ...this.#headers(name, bucket),
      "Retry-After": String(Math.ceil(retryAfterSeconds)),
      "X-RateLimit-Scope": scope,
    };
    if (scope === "global") headers["X-RateLimit-Global"] = "true";
    else headers["X-RateLimit-Remaining"] = "0";
    return { allowed: false, scope, retryAfterSeconds, headers };
  }

  #headers(name: RateLimitName, bucket: Bucket): Record<string, string> {
    const { limit } = this.#limits[name];
    const resetsAt = Math.max(bucket.resetsAt, bucket.closedUntil);
    return {
      "X-RateLimit-Limit": String(limit),
      "X-RateLimit-Remaining": String(Math.max(0, limit - bucket.used)),
      "X-RateLimit-Reset": (resetsAt / 1000).toFixed(3),
      "X-RateLimit-Reset-After": (Math.max(0, resetsAt - this.#now()) / 1000).toFixed(3),
      "X-RateLimit-Bucket": createHash("md5").update(name).digest("hex"),
    };
  }

  #bucket(name: RateLimitName, resource: string): Bucket {
    const now = this.#now();
    const key = `${name} ${resource}`;
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= BUCKETS_MAX) this.#prune(now);
      bucket = { used: 0, resetsAt: now + this.#limits[name].windowMs, closedUntil: 0 };
      this.#buckets.set(key, bucket);
    } else if (now >= bucket.resetsAt) {
      bucket.used = 0;
      bucket.resetsAt = now + this.#limits[name].windowMs;
    }
    return bucket;
  }

  #prune(now: number): void {
    for (const [key, bucket] of this.#buckets) {
      if (now >= bucket.resetsAt && now >= bucket.closedUntil) this.#buckets.delete(key);
    }
  }
}

function full(bucket: Bucket, limit: RateLimit, now: number): boolean {
  return now < bucket.closedUntil || bucket.used >= limit.limit;
}

function opensAt(bucket: Bucket, limit: RateLimit, now: number): number {
  const spent = bucket.used >= limit.limit ? bucket.resetsAt : now;
  return Math.max(spent, bucket.closedUntil);
}
