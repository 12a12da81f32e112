import type { JsonObject } from "./generated.ts";

/** What the tables cannot tell. */
const INTRODUCTION = `<!-- Made by \`npm run schemas\` from schemas/config.ts: change it there. -->

# Config reference

The agent reads one YAML file. Where it is, when you do not say so with \`--config\`:

| Where | File |
|---|---|
| Linux, as root | \`/etc/reconsync/config.yaml\` |
| Linux, as a user | \`$XDG_CONFIG_HOME/reconsync/config.yaml\`, or \`~/.config/reconsync/config.yaml\` |
| Windows | \`%ProgramData%\\ReconSync\\config.yaml\` |

\`config.example.yaml\` is a file to start from. \`reconsync check\` reads the config, tells every mistake with its line and column, and says what would be backed up.

- A key that does not exist is an error, so that a mistyped one is not missed.
- Every path is absolute. On Windows it begins with a drive or a share, and needs no quotes: \`C:\\games\\ark\`.
- Any text value may hold \`\${NAME}\`, a variable of the agent's environment, or \`\${NAME:-default}\`. A variable that is not set is an error. Write \`$\${\` where \`\${\` itself is meant. Numbers are written as they are.
- Any text value may also hold \`\${secret:NAME}\`, see [secrets.md](secrets.md). Passwords are best given so, by a variable, or by a \`*_file\` key. They are never shown: where the config is printed, they read «redacted».
- A running agent takes a changed config by itself; only \`state\` and \`log\` need a restart. See [install.md](install.md#change-the-config).
- An editor with YAML support completes and checks the file when its first line is \`# yaml-language-server: $schema=PATH/schemas/json/config.schema.json\`.

## What is backed up

A file is backed up when a glob of the includes matches it, or a folder it is in, and no glob of the excludes does.

- The profile of the game brings includes and excludes. \`backup.include\` and \`backup.exclude\` are added to them.
- An exclude always wins, whoever wrote it. To get back what the profile leaves out, set \`backup.profile_globs: false\` and write all globs yourself.
- Globs are relative to \`folder\`, with \`/\` on every platform. \`*\` stays in one folder, \`**\` crosses folders. Names that begin with a dot match too. Letter case counts, but not on Windows.
- Backups themselves are never backed up, also when their folder lies inside the server's folder.
`;

/** `docs/user/config.md` from the JSON Schema of the config. */
export function configReference(schema: JsonObject): string {
  const sections: string[] = [];
  describe(schema, "", sections);
  return `${INTRODUCTION}\n${sections.join("\n")}`;
}

/** One section for an object, then one for each object in it. */
function describe(schema: JsonObject, path: string, sections: string[]): void {
  const properties = objectOf(schema.properties);
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const rows = Object.entries(properties).map(([key, value]) => row(key, objectOf(value), required.has(key)));
  const heading = path === "" ? "## Top level" : `## \`${path}\``;
  const text = typeof schema.description === "string" ? [schema.description, ""] : [];
  sections.push([heading, "", ...text, "| Key | Type | Default | Meaning |", "|---|---|---|---|", ...rows, ""].join("\n"));
  for (const [key, value] of Object.entries(properties)) {
    for (const [inner, label] of innerObjects(objectOf(value))) describe(inner, `${path === "" ? "" : `${path}.`}${key}${label}`, sections);
  }
}

/** The objects that a value may be, with what their path gets. Branches of a union are described as one section each. */
function innerObjects(value: JsonObject): [JsonObject, string][] {
  // Keys that the reader chooses need no section.
  if (value.type === "object") return value.properties === undefined ? [] : [[value, ""]];
  if (value.type === "array") return innerObjects(objectOf(value.items)).map(([inner, label]) => [inner, `[]${label}`]);
  return branches(value).flatMap((branch) => {
    // What tells the branches of a union apart, when it is a fixed `type`.
    const { const: type, description: meaning } = objectOf(objectOf(branch.properties).type);
    const label = typeof type === "string" ? ` (type: ${type})` : "";
    const description = branch.description ?? (label ? meaning : value.description);
    return branch.type === "object" ? [[{ ...branch, description }, label] as [JsonObject, string]] : [];
  });
}

function row(key: string, value: JsonObject, isRequired: boolean): string {
  const fallback = value.default === undefined ? (isRequired ? "required" : "") : code(value.default);
  const examples = Array.isArray(value.examples) ? value.examples.map(code).join(", ") : "";
  const meaning = [value.description, examples && `Example: ${examples}`].filter(Boolean).join(" ");
  return `| ${[`\`${key}\``, typeOf(value), fallback, meaning].map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
}

function typeOf(value: JsonObject): string {
  if (value.const !== undefined) return code(value.const);
  if (Array.isArray(value.enum)) return value.enum.map(code).join(", ");
  if (value.type === "array") return `list of ${plural(typeOf(objectOf(value.items)))}`;
  if (value.type === "object") return value.properties === undefined ? "own keys with texts" : "keys, see below";
  if (value.type === "string") return "text";
  if (value.type === "boolean") return "`true`, `false`";
  if (value.type === "integer" || value.type === "number") return numberType(value);
  return [...new Set(branches(value).map(typeOf))].join(" or ");
}

function numberType({ type, minimum, maximum, exclusiveMinimum }: JsonObject): string {
  const word = type === "integer" ? "whole number" : "number";
  if (typeof maximum !== "number") return word;
  return typeof minimum === "number" ? `${word}, ${minimum} to ${maximum}` : `${word}, more than ${exclusiveMinimum}, up to ${maximum}`;
}

const plural = (type: string) => (type === "text" ? "texts" : type);
const code = (value: unknown) => `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;

function branches(value: JsonObject): JsonObject[] {
  const all: unknown = value.anyOf ?? value.oneOf;
  return Array.isArray(all) ? all.map(objectOf) : [];
}

function objectOf(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
