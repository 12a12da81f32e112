/** Text that must stand in another, `*` for anything; or several of which one is enough. */
export type Pattern = string | readonly string[];

/**
 * The pattern that a text holds, or undefined. The pieces between the `*` are looked for one after another, so that the time is linear in the
 * text whatever the pattern is: it may come from somebody else, and what is looked at was written by a game and its players.
 */
export function found(pattern: Pattern, text: string): string | undefined {
  return patternsOf(pattern).find((one) => holds(one, text));
}

/** For people. */
export function patternText(pattern: Pattern): string {
  return patternsOf(pattern)
    .map((one) => `"${one}"`)
    .join(" or ");
}

function holds(pattern: string, text: string): boolean {
  let at = 0;
  for (const piece of pattern.split("*")) {
    const next = text.indexOf(piece, at);
    if (next < 0) return false;
    at = next + piece.length;
  }
  return true;
}

const patternsOf = (pattern: Pattern): readonly string[] => (typeof pattern === "string" ? [pattern] : pattern);
