import { LIMITS } from "./message.ts";
import { plural } from "./text.ts";

/** Room for the line that counts the rest. */
const REST_LENGTH = 40;

/** As many whole lines as fit into a text of `max` characters; the rest is counted. */
export function lines(all: readonly string[], { what = "more line", max = LIMITS.description as number } = {}): string {
  const shown: string[] = [];
  let length = 0;
  for (const [index, line] of all.entries()) {
    if (length + line.length + 1 > max - REST_LENGTH) {
      shown.push(`and ${plural(all.length - index, what)}`);
      break;
    }
    length += line.length + 1;
    shown.push(line);
  }
  return shown.join("\n");
}
