/** Pure rules that tell a name which is made to leave its place from one that is only wrong. */

/** Where in a request such a name was, and what it was. */
export interface PathTrick {
  field: string;
  value: string;
}

/** Names that become part of a path, a key or an id: an agent of ours never sends one that could leave its place. */
const FIELDS: ReadonlySet<string> = new Set(["id", "server", "type", "name", "archive", "upload", "job", "lease"]);
/** Two dots, a slash of either kind, a control character, or one of them percent-encoded. */
const TRICK = /\.\.|[/\\\p{Cc}]|%(?:2e|2f|5c|[01][0-9a-f]|7f)/iu;
/** Only the beginning is looked at and kept. */
const LENGTH_MAX = 200;

/** The first such name among the places that did not fit. `path` leads to each. */
export function trickIn(body: unknown, issues: readonly { path: PropertyKey[] }[]): PathTrick | undefined {
  for (const { path } of issues) {
    const last = path.at(-1);
    // Deeper down a `name` is what people call something, with any characters.
    if (typeof last !== "string" || !FIELDS.has(last) || (last === "name" && path.length > 1)) continue;
    const value = valueAt(body, path);
    if (typeof value === "string" && TRICK.test(value.slice(0, LENGTH_MAX)))
      return { field: path.map(String).join("."), value: value.slice(0, LENGTH_MAX) };
  }
  return undefined;
}

function valueAt(body: unknown, path: PropertyKey[]): unknown {
  let value = body;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}
