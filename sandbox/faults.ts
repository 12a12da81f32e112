import { seededRandom } from "./random.ts";

export type FaultEffect =
  /** Answers this status. With `applied` the call is carried out first, so that only the answer is a lie. */
  | { kind: "status"; status: number; applied?: boolean }
  /** Answers 429 and keeps the bucket (or everything, for `global`) closed for that time. */
  | { kind: "rate-limit"; retryAfterSeconds: number; scope?: "user" | "shared" | "global" }
  | { kind: "delay"; ms: number }
  /** Cuts the connection without an answer, before or (`applied`) after the call was carried out. */
  | { kind: "drop"; applied?: boolean };

/** A rule for REST calls under /api/v10. Conditions add up; without any, every call is hit. The first rule that hits wins. */
export interface Fault {
  method?: string;
  /** Path below /api/v10; `*` stands for one segment, a final `**` for the rest. */
  route?: string;
  /** Hits every nth call that fits. */
  every?: number;
  /** Hits at random with this probability, from the sandbox's seed. */
  rate?: number;
  /** Lets this many fitting calls pass first. */
  skip?: number;
  /** Hits at most this often. */
  count?: number;
  effect: FaultEffect;
}

interface ArmedFault {
  rule: Fault;
  pattern: RegExp | null;
  seen: number;
  hits: number;
}

/** Decides which calls go wrong. */
export class Faults {
  #armed: ArmedFault[] = [];
  readonly #seed: number;
  #random: () => number;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
  }

  /** Replaces all rules and starts the random numbers over. */
  set(rules: Fault | readonly Fault[]): void {
    this.#random = seededRandom(this.#seed);
    this.#armed = [rules].flat().map((rule) => ({ rule, pattern: routePattern(rule.route), seen: 0, hits: 0 }));
  }

  clear(): void {
    this.#armed = [];
  }

  next(method: string, path: string): FaultEffect | null {
    for (const armed of this.#armed) {
      if (!fits(armed, method, path)) continue;
      armed.seen += 1;
      if (this.#strikes(armed)) {
        armed.hits += 1;
        return armed.rule.effect;
      }
    }
    return null;
  }

  #strikes({ rule, seen, hits }: ArmedFault): boolean {
    const index = seen - (rule.skip ?? 0);
    if (index <= 0 || hits >= (rule.count ?? Number.POSITIVE_INFINITY)) return false;
    if (rule.every !== undefined && index % rule.every !== 0) return false;
    return rule.rate === undefined || this.#random() < rule.rate;
  }
}

function fits({ rule, pattern }: ArmedFault, method: string, path: string): boolean {
  if (rule.method !== undefined && rule.method.toUpperCase() !== method) return false;
  return pattern === null || pattern.test(path);
}

function routePattern(route: string | undefined): RegExp | null {
  if (route === undefined) return null;
  const body = route
    .split("/")
    .map((segment) => (segment === "**" ? ".*" : segment.split("*").map(escapePattern).join("[^/]*")))
    .join("/");
  return new RegExp(`^${body}$`, "u");
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/gu, "\\$&");
}
