import { describe, expect, it } from "vitest";
import { type Block, type Inline, parseInline, parseMarkdown } from "./markdown.ts";

const text = (words: string): Inline => ({ kind: "text", text: words });
const paragraph = (...children: Inline[]): Block => ({ kind: "paragraph", children });

describe("styles", () => {
  it("are read in all their kinds", () => {
    expect(parseInline("a **b** *c* _d_ __e__ ~~f~~ ||g|| `h`")).toEqual([
      text("a "),
      { kind: "bold", children: [text("b")] },
      text(" "),
      { kind: "italic", children: [text("c")] },
      text(" "),
      { kind: "italic", children: [text("d")] },
      text(" "),
      { kind: "underline", children: [text("e")] },
      text(" "),
      { kind: "strike", children: [text("f")] },
      text(" "),
      { kind: "spoiler", children: [text("g")] },
      text(" "),
      { kind: "code", text: "h" },
    ]);
  });

  it("nest", () => {
    expect(parseInline("**a *b* c**")).toEqual([
      { kind: "bold", children: [text("a "), { kind: "italic", children: [text("b")] }, text(" c")] },
    ]);
    expect(parseInline("***a***")).toEqual([{ kind: "bold", children: [{ kind: "italic", children: [text("a")] }] }]);
    expect(parseInline("*a **b** c*")).toEqual([
      { kind: "italic", children: [text("a "), { kind: "bold", children: [text("b")] }, text(" c")] },
    ]);
  });

  it("stay text when they are not closed, escaped, or underscores within a word", () => {
    expect(parseInline("2 * 3 ** 4")).toEqual([text("2 * 3 ** 4")]);
    expect(parseInline("\\*a\\* \\_b\\_ \\\\ \\`c\\`")).toEqual([text("*a* _b_ \\ `c`")]);
    expect(parseInline("world_nether_1 and snake_case")).toEqual([text("world_nether_1 and snake_case")]);
    expect(parseInline("****")).toEqual([text("****")]);
  });

  it("do not begin or end within code", () => {
    expect(parseInline("`a*b` *c`*`d*")).toEqual([
      { kind: "code", text: "a*b" },
      text(" "),
      { kind: "italic", children: [text("c"), { kind: "code", text: "*" }, text("d")] },
    ]);
    expect(parseInline("``a`b``")).toEqual([{ kind: "code", text: "a`b" }]);
  });

  it("end at a depth, also for a text made of marks", () => {
    const hostile = `${"*_".repeat(500)}x${"_*".repeat(500)}`;
    const depth = (inlines: Inline[]): number => 1 + Math.max(0, ...inlines.map((one) => ("children" in one ? depth(one.children) : 0)));
    expect(depth(parseInline(hostile))).toBeLessThan(15);
  });
});

describe("references", () => {
  it("are times, mentions, commands and links", () => {
    expect(parseInline("<t:1700000000:R> <t:5> <@12> <@!13> <@&14> <#15> </backup now:16> @everyone")).toEqual([
      { kind: "time", at: 1_700_000_000_000, style: "R" },
      text(" "),
      { kind: "time", at: 5000, style: "f" },
      text(" "),
      { kind: "mention", of: "user", id: "12" },
      text(" "),
      { kind: "mention", of: "user", id: "13" },
      text(" "),
      { kind: "mention", of: "role", id: "14" },
      text(" "),
      { kind: "mention", of: "channel", id: "15" },
      text(" "),
      { kind: "command", name: "backup now" },
      text(" "),
      { kind: "mention", of: "everyone", id: "everyone" },
    ]);
    expect(parseInline("see [the **docs**](https://example.com/a) or https://example.com/b.")).toEqual([
      text("see "),
      { kind: "link", url: "https://example.com/a", children: [text("the "), { kind: "bold", children: [text("docs")] }] },
      text(" or "),
      { kind: "link", url: "https://example.com/b", children: [text("https://example.com/b")] },
      text("."),
    ]);
  });

  it("never carry another scheme than http", () => {
    expect(parseInline("[a](javascript:alert(1))")).toEqual([text("[a](javascript:alert(1))")]);
  });

  it("leave HTML as text", () => {
    expect(parseInline("<img src=x onerror=alert(1)>")).toEqual([text("<img src=x onerror=alert(1)>")]);
  });
});

describe("blocks", () => {
  it("are headings, small print, quotes and paragraphs with line breaks", () => {
    expect(parseMarkdown("# One\n### Three\n-# small\na\nb\n> c\n> d\ne")).toEqual([
      { kind: "heading", level: 1, children: [text("One")] },
      { kind: "heading", level: 3, children: [text("Three")] },
      { kind: "small", children: [text("small")] },
      paragraph(text("a"), { kind: "break" }, text("b")),
      { kind: "quote", children: [paragraph(text("c"), { kind: "break" }, text("d"))] },
      paragraph(text("e")),
    ]);
    expect(parseMarkdown(">>> a\n# b")).toEqual([
      { kind: "quote", children: [paragraph(text("a")), { kind: "heading", level: 1, children: [text("b")] }] },
    ]);
  });

  it("are lists with depths and numbers", () => {
    expect(parseMarkdown("- a\n  - b\n* c\n3. d\n4. e")).toEqual([
      {
        kind: "list",
        ordered: false,
        start: 1,
        items: [
          { depth: 0, children: [text("a")] },
          { depth: 1, children: [text("b")] },
          { depth: 0, children: [text("c")] },
        ],
      },
      {
        kind: "list",
        ordered: true,
        start: 3,
        items: [
          { depth: 0, children: [text("d")] },
          { depth: 0, children: [text("e")] },
        ],
      },
    ]);
  });

  it("keep code as it is, with its language, also after text in a line", () => {
    expect(parseMarkdown("run:```sh\nreconsync *enroll*\n```\nthen")).toEqual([
      paragraph(text("run:")),
      { kind: "code-block", language: "sh", text: "reconsync *enroll*" },
      paragraph(text("then")),
    ]);
    expect(parseMarkdown("```\n> no quote\n```")).toEqual([{ kind: "code-block", language: "", text: "> no quote" }]);
    expect(parseMarkdown("``` open")).toEqual([paragraph(text("``` open"))]);
  });
});
