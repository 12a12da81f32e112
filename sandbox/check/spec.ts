import type { SpecIssue, SpecSchema } from "discord-api-spec/zod";
import type { Form, Path } from "./form.ts";

/** Checks a value with a schema of Discord's specification and adds what it finds to the form. */
export function checkSpec(form: Form, schema: SpecSchema, value: unknown, at: Path = []): void {
  const result = schema.safeParse(value);
  if (result.success) return;
  for (const issue of result.error.issues) addIssue(form, issue, at);
}

function addIssue(form: Form, issue: SpecIssue, at: Path): void {
  const path = [...at, ...issue.path.map((key) => (typeof key === "symbol" ? key.toString() : key))];
  if (issue.code === "invalid_union" && issue.errors !== undefined && issue.errors.length > 0) {
    for (const inner of likeliestBranch(issue.errors)) addIssue(form, inner, path);
    return;
  }
  const { code, message } = inDiscordsWords(issue);
  form.add(path, code, message);
}

/** Of a union's branches the one whose `type` fits, and then the one with the fewest complaints. */
function likeliestBranch(branches: readonly SpecIssue[][]): SpecIssue[] {
  const cost = (issues: SpecIssue[]) => issues.length + (issues.some((issue) => issue.path[0] === "type") ? 1000 : 0);
  return branches.reduce((best, branch) => (cost(branch) < cost(best) ? branch : best));
}

function inDiscordsWords(issue: SpecIssue): { code: string; message: string } {
  const length = issue.origin === "string" || issue.origin === "array";
  if (issue.code === "too_big") {
    return length
      ? { code: "BASE_TYPE_MAX_LENGTH", message: `Must be ${issue.maximum} or fewer in length.` }
      : { code: "NUMBER_TYPE_MAX", message: `int value should be less than or equal to ${issue.maximum}.` };
  }
  if (issue.code === "too_small") {
    return length
      ? { code: "BASE_TYPE_MIN_LENGTH", message: `Must be ${issue.minimum} or more in length.` }
      : { code: "NUMBER_TYPE_MIN", message: `int value should be greater than or equal to ${issue.minimum}.` };
  }
  if (issue.code === "invalid_value") return { code: "BASE_TYPE_CHOICES", message: issue.message };
  if (issue.code === "invalid_type") return { code: "BASE_TYPE_BAD_TYPE", message: issue.message };
  return { code: "BASE_TYPE_INVALID", message: issue.message };
}
