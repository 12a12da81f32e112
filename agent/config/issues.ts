import type * as z from "zod";
import { didYouMean } from "./suggest.ts";

export type Path = (string | number)[];
type Issue = z.core.$ZodIssue;
type Schema = z.core.$ZodType;

/** A complaint of a schema, in words. `key` is set when it is about a key itself, not about its value. */
export interface Complaint {
  path: Path;
  key?: string;
  message: string;
}

/** `servers[0].backup.store` */
export function formatPath(path: Path): string {
  return path.map((step, index) => (typeof step === "number" ? `[${step}]` : index === 0 ? step : `.${step}`)).join("");
}

/** What zod found, in words for the person who wrote the file. */
export function complaints(issues: Issue[], schema: Schema, data: unknown, prefix: Path = []): Complaint[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path.map((step) => (typeof step === "number" ? step : String(step)))];
    switch (issue.code) {
      case "unrecognized_keys":
        return issue.keys.map((key) => ({ path, key, message: `no such key.${didYouMean(key, keysAt(schema, path))}` }));
      case "invalid_type":
        return [
          {
            path,
            message:
              valueAt(data, path) === undefined ? "is missing" : `expected ${typeWord(issue.expected)}, got ${kindOf(valueAt(data, path))}`,
          },
        ];
      case "invalid_value":
        return [{ path, message: oneOf(issue.values.map(String), valueAt(data, path)) }];
      case "invalid_union": {
        if (issue.discriminator !== undefined) {
          const value = valueAt(data, path);
          return [{ path, message: value === undefined ? `is missing. Use ${list(keywords(issue))}` : oneOf(keywords(issue), value) }];
        }
        // The branch that got furthest into the data is the one that was meant.
        const branch = issue.errors.toSorted((a, b) => depth(b) - depth(a))[0] ?? [];
        return depth(branch) > 0
          ? complaints(branch, schema, data, path)
          : [{ path, message: `does not fit: got ${kindOf(valueAt(data, path))}` }];
      }
      case "too_small":
      case "too_big":
        return [{ path, message: limitWords(issue) }];
      default:
        return [{ path, message: issue.message.replace(/^Invalid (?:input|string): (?:expected )?/, "") }];
    }
  });
}

function limitWords(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const small = issue.code === "too_small";
  const limit = Number(small ? issue.minimum : issue.maximum);
  const bound = small ? (issue.inclusive === false ? "more than" : "at least") : "at most";
  if (issue.origin === "string") return small && limit === 1 ? "is empty" : `needs ${bound} ${limit} characters`;
  if (issue.origin === "array") return `needs ${bound} ${limit} ${limit === 1 ? "entry" : "entries"}`;
  return `must be ${bound} ${limit}`;
}

const depth = (issues: Issue[]) => Math.max(0, ...issues.map((it) => it.path.length + (it.code === "unrecognized_keys" ? 1 : 0)));

const keywords = (issue: z.core.$ZodIssueInvalidUnion): string[] => {
  const options: unknown = "options" in issue ? issue.options : [];
  return Array.isArray(options) ? options.map(String) : [];
};

function oneOf(values: string[], value: unknown): string {
  const hint = typeof value === "string" ? didYouMean(value, values) : "";
  return value === undefined ? "is missing" : `use ${list(values)}.${hint}`;
}

function list(words: string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function typeWord(expected: string): string {
  const words: Record<string, string> = {
    string: "text",
    number: "a number",
    int: "a whole number",
    boolean: "true or false",
    object: "keys with values",
    array: "a list",
  };
  return words[expected] ?? expected;
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return "text";
  if (typeof value === "number") return "a number";
  return typeof value === "boolean" ? String(value) : "keys with values";
}

/** The value at a path of plain data. */
export function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

/** The keys that a schema knows at a path, over all branches of a union. */
export function keysAt(schema: Schema, path: Path): string[] {
  let here: Schema[] = [schema];
  for (const step of path) here = here.flatMap(unwrap).flatMap((it) => inner(it, step));
  return here.flatMap(unwrap).flatMap((it) => Object.keys(shapeOf(it) ?? {}));
}

function unwrap(schema: Schema): Schema[] {
  const def: object = schema._zod.def;
  if ("innerType" in def) return unwrap(def.innerType as Schema);
  if ("options" in def) return (def.options as Schema[]).flatMap(unwrap);
  return [schema];
}

function shapeOf(schema: Schema): Record<string, Schema> | undefined {
  const def: object = schema._zod.def;
  return "shape" in def ? (def.shape as Record<string, Schema>) : undefined;
}

function inner(schema: Schema, step: string | number): Schema[] {
  const def: object = schema._zod.def;
  if ("element" in def) return [def.element as Schema];
  const next = shapeOf(schema)?.[step];
  return next ? [next] : [];
}
