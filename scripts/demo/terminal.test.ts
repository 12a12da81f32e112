import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import type { SandboxMessage } from "../../sandbox/index.ts";
import { messagePrinter, plain } from "./terminal.ts";

const NOW = 1_700_000_000_000;

it.each([
  ["**bold** and `code`", "bold and code"],
  ["seen <t:1699999990:R>", "seen 10 s ago"],
  ["ends <t:1700007200:R>", "ends in 2 h"],
  ["made <t:1700000000:f>", "made 2023-11-14 22:13:20"],
  ["by <@123>", "by @member"],
  ["Astrid\\_\\* @\u200beveryone", "Astrid_* @everyone"],
])("shows %j as plain words", (text, words) => {
  expect(plain(text, NOW)).toBe(words);
});

it("prints a message when it comes and whenever it has changed, not otherwise", () => {
  const printed: string[] = [];
  const print = messagePrinter((line) => printed.push(stripVTControlCharacters(line)));
  const message = (title: string) =>
    ({
      id: "1",
      content: "",
      author: { username: "ReconSync" },
      interaction: { name: "status" },
      embeds: [{ title }],
    }) as unknown as SandboxMessage;
  print(message("one"));
  print(message("one"));
  print(message("two"));
  expect(printed).toEqual(["ReconSync (/status)", "  one", "ReconSync (/status) edited", "  two"]);
});
