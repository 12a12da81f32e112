/** Globs as a member types them: separated by commas, but not by those within braces. Empty ones are left out. */
export function globsIn(text: string): string[] {
  const globs: string[] = [];
  let current = "";
  let depth = 0;
  for (const character of text) {
    if (character === "{") depth += 1;
    if (character === "}") depth = Math.max(0, depth - 1);
    if (character === "," && depth === 0) {
      globs.push(current);
      current = "";
    } else current += character;
  }
  return [...globs, current].map((glob) => glob.trim()).filter((glob) => glob !== "");
}
