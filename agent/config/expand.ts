import { type Document, isPair, isScalar, isSeq, type Scalar, visit } from "yaml";
import type { Path } from "./issues.ts";
import { lookUp } from "./paths.ts";
import type { FoundSecret } from "./secret-command.ts";
import { isSecretName } from "./secrets.ts";

const VARIABLE = /\$\$\{|\$\{([^}]*)(\})?/g;
const REFERENCE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;
const SECRET_REFERENCE = /^secret:(?!-)(.*)$/s;
/** The key that says how to ask for secrets cannot hold one. */
const SECRET_COMMAND = "secret_command";

/** Where the variables in a file come from. */
export interface Environment {
  env: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  /** What was found under the names of `secretNames`. */
  secrets: ReadonlyMap<string, FoundSecret>;
}

/**
 * Replaces `${NAME}`, `${NAME:-default}` and `${secret:NAME}` in a text; `$${` stands for `${`. The default is taken when the variable is
 * unset or empty, as in a shell. What comes out is not expanded again. `complain` hears of each variable that is not set, each secret
 * that was not found, and each bad reference.
 */
export function expandText(text: string, { env, platform, secrets }: Environment, complain: (message: string) => void): string {
  return text.replace(VARIABLE, (whole: string, reference: string | undefined, end: string | undefined) => {
    if (reference === undefined) return "${";
    if (end === undefined) {
      complain(`a \${ without its }. Write $\${ where \${ itself is meant`);
      return whole;
    }
    const [, secretName] = SECRET_REFERENCE.exec(reference) ?? [];
    if (secretName !== undefined) {
      const found = secrets.get(secretName) ?? { ok: false, problem: badSecretName(reference) };
      if (found.ok) return found.text;
      complain(found.problem);
      return whole;
    }
    const match = REFERENCE.exec(reference);
    if (!match?.[1]) {
      complain(`\${${reference}} is not the name of a variable. Use \${NAME} or \${NAME:-default}, and $\${ where \${ itself is meant`);
      return whole;
    }
    const [, name, fallback] = match;
    const value = lookUp(env, name, platform);
    if (fallback !== undefined) return value || fallback;
    if (value !== undefined) return value;
    complain(`the environment variable ${name} is not set. Set it for the agent, or give a default: \${${name}:-default}`);
    return whole;
  });
}

const badSecretName = (reference: string) =>
  `\${${reference}} needs the name of a secret: 1 to 100 of A-Z, a-z, 0-9, ".", "_" and "-", not starting with "-"`;

/** The names of all secrets that the texts of a document ask for, each once. */
export function secretNames(document: Document): string[] {
  const names = new Set<string>();
  eachText(document, (node, path) => {
    if (path[0] === SECRET_COMMAND) return;
    for (const [, reference, end] of node.value.matchAll(VARIABLE)) {
      const [, name] = SECRET_REFERENCE.exec(reference ?? "") ?? [];
      if (end !== undefined && name !== undefined && isSecretName(name)) names.add(name);
    }
  });
  return [...names];
}

/** Expands every text value of a document in place. Keys are left alone. */
export function expandDocument(
  document: Document,
  environment: Environment,
  complain: (node: Scalar, path: Path, message: string) => void,
): void {
  eachText(document, (node, path) => {
    const forCommand = path[0] === SECRET_COMMAND && secretIn(node.value);
    if (forCommand) complain(node, path, "cannot hold a secret itself: its arguments can be seen by everybody on this host");
    else node.value = expandText(node.value, environment, (message) => complain(node, path, message));
  });
}

function secretIn(text: string): boolean {
  return Array.from(text.matchAll(VARIABLE)).some(([, reference]) => SECRET_REFERENCE.test(reference ?? ""));
}

function eachText(document: Document, call: (node: Scalar<string>, path: Path) => void): void {
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key !== "key" && isText(node)) call(node, pathOf([...ancestors, node]));
    },
  });
}

function isText(node: Scalar): node is Scalar<string> {
  return typeof node.value === "string";
}

/** The path of the last of a row of nodes, each of which holds the next. */
function pathOf(nodes: readonly unknown[]): Path {
  return nodes.flatMap((node, index): Path => {
    if (isPair(node)) return [isScalar(node.key) ? String(node.key.value) : "?"];
    return isSeq(node) ? [node.items.indexOf(nodes[index + 1])] : [];
  });
}
