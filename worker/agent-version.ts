/** Pure rules of versions: which agents are too old, and which could be newer. */

interface Version {
  /** Dotted numbers: `1.2.3`, and however many more somebody writes. */
  numbers: bigint[];
  /** What stands behind a `-`; empty for a release. */
  pre: string[];
}

const PATTERN = /^v?(\d{1,18}(?:\.\d{1,18}){0,3})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.+-]*)?$/;

/**
 * Negative when `a` is older than `b`, positive when it is newer, 0 when they are equal, by the precedence of Semantic Versioning 2.0.0: a
 * pre-release is older than its release, and what stands behind a `+` does not count. Null when one of them is no version.
 */
export function compareVersions(a: string, b: string): number | null {
  const [left, right] = [parse(a), parse(b)];
  if (left === null || right === null) return null;
  for (let place = 0; place < Math.max(left.numbers.length, right.numbers.length); place += 1) {
    const order = compare(left.numbers[place] ?? 0n, right.numbers[place] ?? 0n);
    if (order !== 0) return order;
  }
  return comparePre(left.pre, right.pre);
}

/**
 * Whether an agent is older than the oldest that may come in. One whose version cannot be read is: nobody knows what it does.
 * @throws Error when `oldest` is no version: that is a mistake in wrangler.toml
 */
export function isTooOld(version: string, oldest: string): boolean {
  if (parse(oldest) === null) throw new Error(`AGENT_VERSION_MIN is no version: ${JSON.stringify(oldest)}`);
  return (compareVersions(version, oldest) ?? -1) < 0;
}

/** Whether an agent is older than this Worker. One whose version cannot be read is not called old. */
export function isOlder(version: string, than: string): boolean {
  return (compareVersions(version, than) ?? 0) < 0;
}

function parse(text: string): Version | null {
  const match = PATTERN.exec(text);
  if (match === null) return null;
  return { numbers: (match[1] ?? "").split(".").map(BigInt), pre: match[2]?.split(".") ?? [] };
}

function comparePre(a: string[], b: string[]): number {
  if (a.length === 0 || b.length === 0) return compare(b.length, a.length);
  for (let place = 0; place < Math.max(a.length, b.length); place += 1) {
    const [left, right] = [a[place], b[place]];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const order = compareIdentifiers(left, right);
    if (order !== 0) return order;
  }
  return 0;
}

/** Numbers by their value and before any word; words by their characters. */
function compareIdentifiers(a: string, b: string): number {
  const [left, right] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (left && right) return compare(BigInt(a), BigInt(b));
  if (left !== right) return left ? -1 : 1;
  return compare(a, b);
}

function compare<T extends bigint | number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
