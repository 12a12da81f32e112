/**
 * A text that somebody outside wrote, made fit to be shown: control and format characters, half surrogates and runs of white space are
 * gone, and at most `max` UTF-16 units are left, without cutting a character in two.
 */
export function cleanText(text: unknown, max: number): string {
  const clean = String(text ?? "")
    .slice(0, 10 * max)
    .replace(/\s+/gu, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu, "")
    .trim();
  let cut = "";
  for (const character of clean) {
    if (cut.length + character.length > max) break;
    cut += character;
  }
  return cut.trim();
}
