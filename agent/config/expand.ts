import { type Document, isPair, isScalar, isSeq, type Scalar, visit } from "yaml";
import type { Path } from "./issues.ts";
import { lookUp } from "./paths.ts";

const VARIABLE = /\$\$\{|\$\{([^}]*)(\})?/g;
const REFERENCE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * Replaces `${NAME}` and `${NAME:-default}` in a text; `$${` stands for `${`. The default is taken when the variable is unset or empty,
 * as in a shell. What comes out is not expanded again. `complain` hears of each variable that is not set, and of each bad reference.
 */
export function expandText(text: string, env: NodeJS.ProcessEnv, platform: NodeJS.Platform, complain: (message: string) => void): string {
  return text.replace(VARIABLE, (whole: string, reference: string | undefined, end: string | undefined) => {
    if (reference === undefined) return "${";
    if (end === undefined) {
      complain(`a \${ without its }. Write $\${ where \${ itself is meant`);
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

/** Expands every text value of a document in place. Keys are left alone. */
export function expandDocument(
  document: Document,
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
  complain: (node: Scalar, path: Path, message: string) => void,
): void {
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === "key" || typeof node.value !== "string") return;
      node.value = expandText(node.value, env, platform, (message) => complain(node, pathOf([...ancestors, node]), message));
    },
  });
}

/** The path of the last of a row of nodes, each of which holds the next. */
function pathOf(nodes: readonly unknown[]): Path {
  return nodes.flatMap((node, index): Path => {
    if (isPair(node)) return [isScalar(node.key) ? String(node.key.value) : "?"];
    return isSeq(node) ? [node.items.indexOf(nodes[index + 1])] : [];
  });
}
