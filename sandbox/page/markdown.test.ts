import { describe, expect, it } from "vitest";
import { parseMarkdown } from "./markdown.ts";
import { type Inline, parseInline, plainText } from "./markdown-inline.ts";

const text = (words: string): Inline => ({ type: "text", text: words });

describe("formats in a line", () => {
  it.each([
    ["**b**", [{ type: "bold", children: [text("b")] }]],
    ["*i*", [{ type: "italic", children: [text("i")] }]],
    ["_i_", [{ type: "italic", children: [text("i")] }]],
    ["__u__", [{ type: "underline", children: [text("u")] }]],
    ["~~s~~", [{ type: "strike", children: [text("s")] }]],
    ["||x||", [{ type: "spoiler", children: [text("x")] }]],
    ["`c`", [{ type: "code", text: "c" }]],
    ["`` a`b ``", [{ type: "code", text: " a`b " }]],
    ["***both***", [{ type: "bold", children: [{ type: "italic", children: [text("both")] }] }]],
    ["__*a*__", [{ type: "underline", children: [{ type: "italic", children: [text("a")] }] }]],
    ["**a *b* c**", [{ type: "bold", children: [text("a "), { type: "italic", children: [text("b")] }, text(" c")] }]],
    ["*a **b** c*", [{ type: "italic", children: [text("a "), { type: "bold", children: [text("b")] }, text(" c")] }]],
    ["a\nb", [text("a"), { type: "break" }, text("b")]],
  ])("reads %s", (source, tree) => {
    expect(parseInline(source)).toEqual(tree);
  });

  it.each(["snake_case_name", "2 * 3 * 4", "**open", "a ** b", "****", "`open", "~~", "[x](javascript:alert(1))", "[x](data:text/html,y)"])(
    "leaves %s as it is",
    (source) => {
      expect(parseInline(source)).toEqual([text(source)]);
    },
  );

  it("shows escaped marks and finds no format in code", () => {
    expect(parseInline("\\*not\\* \\_it\\_ \\\\ \\<t:1:R> \\💥")).toEqual([text("*not* _it_ \\ <t:1:R> 💥")]);
    expect(parseInline("`**a**` **`**`**")).toEqual([
      { type: "code", text: "**a**" },
      text(" "),
      { type: "bold", children: [{ type: "code", text: "**" }] },
    ]);
    expect(parseInline("C:\\Users")).toEqual([text("C:\\Users")]);
  });

  it("reads links to the web only", () => {
    const link = (href: string, words: string) => ({ type: "link", href, children: [text(words)] });
    expect(parseInline("[docs](https://example.com/a_(b))")).toEqual([link("https://example.com/a_(b)", "docs")]);
    expect(parseInline("see https://example.com/x.")).toEqual([
      text("see "),
      link("https://example.com/x", "https://example.com/x"),
      text("."),
    ]);
    expect(parseInline("<https://example.com/>")).toEqual([link("https://example.com/", "https://example.com/")]);
  });

  it("reads timestamps and mentions", () => {
    expect(parseInline("<t:1700000000:R> <t:5>")).toEqual([
      { type: "timestamp", unix: 1_700_000_000, style: "R" },
      text(" "),
      { type: "timestamp", unix: 5, style: "f" },
    ]);
    expect(parseInline("<@1> <@!2> <#3> <@&4>").filter((node) => node.type !== "text")).toEqual([
      { type: "user", id: "1" },
      { type: "user", id: "2" },
      { type: "channel", id: "3" },
      { type: "role", id: "4" },
    ]);
    expect(parseInline("</backup now:12>")).toEqual([{ type: "command", name: "backup now", id: "12" }]);
    expect(parseInline("<a:wave:1>")).toEqual([{ type: "emoji", name: "wave" }]);
  });

  it.each(["<t:99999999999999:R>", "<t:1:x>", "<@abc>", "<script>alert(1)</script>", "<img src=x onerror=y>"])(
    "leaves %s as text",
    (source) => {
      expect(parseInline(source)).toEqual([text(source)]);
    },
  );

  it("stays quick and shallow on hostile text", () => {
    for (const part of ["*_~|`[<", "**a ", "[", "||", "\\", "<t:", "_a*"]) {
      expect(plainText(parseInline(part.repeat(800))).length).toBeGreaterThan(0);
    }
  });
});

describe("blocks", () => {
  const paragraph = (words: string) => ({ type: "paragraph", children: [text(words)] });

  it("reads headings and subtext, but not a # without a space", () => {
    expect(parseMarkdown("# One\n### Three\n-# small\n#no\n#### four")).toEqual([
      { type: "heading", level: 1, children: [text("One")] },
      { type: "heading", level: 3, children: [text("Three")] },
      { type: "subtext", children: [text("small")] },
      { type: "paragraph", children: [text("#no"), { type: "break" }, text("#### four")] },
    ]);
  });

  it("reads quotes of lines and of all that follows", () => {
    expect(parseMarkdown("> a\n> b\nc")).toEqual([
      { type: "quote", children: [{ type: "paragraph", children: [text("a"), { type: "break" }, text("b")] }] },
      paragraph("c"),
    ]);
    expect(parseMarkdown(">>> a\n> b")).toEqual([
      { type: "quote", children: [{ type: "paragraph", children: [text("a"), { type: "break" }, text("> b")] }] },
    ]);
  });

  it("reads lists with lists inside", () => {
    expect(parseMarkdown("- a\n- b\n  - c\n1. d\n2. e")).toEqual([
      {
        type: "list",
        ordered: false,
        start: 1,
        items: [[paragraph("a")], [paragraph("b"), { type: "list", ordered: false, start: 1, items: [[paragraph("c")]] }]],
      },
      { type: "list", ordered: true, start: 1, items: [[paragraph("d")], [paragraph("e")]] },
    ]);
  });

  it("reads code blocks anywhere and nothing inside them", () => {
    expect(parseMarkdown("x ```js\n**a**\n```y")).toEqual([
      paragraph("x "),
      { type: "code", language: "js", text: "**a**" },
      paragraph("y"),
    ]);
    expect(parseMarkdown("```one line```")).toEqual([{ type: "code", language: "", text: "one line" }]);
    expect(parseMarkdown("```open")).toEqual([paragraph("```open")]);
    expect(parseMarkdown("- a\n```\nb\n```").map((block) => block.type)).toEqual(["list", "code"]);
  });

  it("is empty for an empty text, and keeps empty lines between words", () => {
    expect(parseMarkdown("")).toEqual([]);
    expect(parseMarkdown("a\r\n\r\nb")).toEqual([
      { type: "paragraph", children: [text("a"), { type: "break" }, { type: "break" }, text("b")] },
    ]);
  });
});

it("puts words in place of ids where no element can stand", () => {
  const named = parseInline("**<@1>** asked <@&2> in <#3>: </backup now:4>");
  expect(plainText(named, ({ type, id }) => `[${type} ${id}]`)).toBe("[user 1] asked [role 2] in [channel 3]: /backup now");
});
