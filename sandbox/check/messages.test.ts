import { describe, expect, it } from "vitest";
import { checkMessageBody } from "./messages.ts";

const button = (more: object = {}) => ({ type: 2, style: 1, label: "x", custom_id: `id-${Math.random()}`, ...more });
const row = (...components: unknown[]) => ({ type: 1, components });
const embed = (more: object) => ({ embeds: [{ title: "t", ...more }] });
const V2 = 32768;

describe("a message", () => {
  it.each([
    ["content of 2,000 characters", { content: "x".repeat(2000) }],
    ["embeds of 6,000 characters", { embeds: [{ description: "x".repeat(4096) }, { description: "x".repeat(1904) }] }],
    [
      "5 rows of 5 buttons",
      { content: "x", components: Array.from({ length: 5 }, () => row(...Array.from({ length: 5 }, () => button()))) },
    ],
    ["a custom id of 100 characters", { content: "x", components: [row(button({ custom_id: "x".repeat(100) }))] }],
    ["a link button", { content: "x", components: [row({ type: 2, style: 5, label: "x", url: "https://example.com" })] }],
    ["a container of texts", { flags: V2, components: [{ type: 17, components: [{ type: 10, content: "x" }, row(button())] }] }],
    ["nulls where it clears", { content: null, embeds: null, components: null }],
  ])("may have %s", (_, body) => {
    const form = checkMessageBody("channel-create", body);
    expect(form.errors()).toBeUndefined();
  });

  it.each([
    ["content of 2,001 characters", { content: "x".repeat(2001) }, "content", "BASE_TYPE_MAX_LENGTH"],
    ["content that is no text", { content: 5 }, "content", "BASE_TYPE_BAD_TYPE"],
    ["11 embeds", { embeds: Array.from({ length: 11 }, () => ({ title: "t" })) }, "embeds", "BASE_TYPE_MAX_LENGTH"],
    [
      "embeds of 6,001 characters",
      { embeds: [{ description: "x".repeat(4096) }, { description: "x".repeat(1905) }] },
      "embeds",
      "MAX_EMBED_SIZE_EXCEEDED",
    ],
    ["an embed title of 257 characters", embed({ title: "x".repeat(257) }), "embeds.0.title", "BASE_TYPE_MAX_LENGTH"],
    ["a description of 4,097 characters", embed({ description: "x".repeat(4097) }), "embeds.0.description", "BASE_TYPE_MAX_LENGTH"],
    [
      "26 fields",
      embed({ fields: Array.from({ length: 26 }, () => ({ name: "n", value: "v" })) }),
      "embeds.0.fields",
      "BASE_TYPE_MAX_LENGTH",
    ],
    [
      "a field value of 1,025 characters",
      embed({ fields: [{ name: "n", value: "x".repeat(1025) }] }),
      "embeds.0.fields.0.value",
      "BASE_TYPE_MAX_LENGTH",
    ],
    ["an empty field value", embed({ fields: [{ name: "n", value: " " }] }), "embeds.0.fields.0.value", "BASE_TYPE_REQUIRED"],
    ["an embed with nothing in it", { embeds: [{ color: 5 }] }, "embeds.0.description", "BASE_TYPE_REQUIRED"],
    ["a colour above FFFFFF", embed({ color: 0x1000000 }), "embeds.0.color", "NUMBER_TYPE_MAX"],
    ["a timestamp that is none", embed({ timestamp: "yesterday" }), "embeds.0.timestamp", "BASE_TYPE_INVALID"],
    ["6 rows", { components: Array.from({ length: 6 }, () => row(button())) }, "components", "BASE_TYPE_MAX_LENGTH"],
    [
      "6 buttons in a row",
      { components: [row(...Array.from({ length: 6 }, () => button()))] },
      "components.0.components",
      "BASE_TYPE_MAX_LENGTH",
    ],
    ["a button outside a row", { components: [button()] }, "components.0.type", "UNION_TYPE_CHOICES"],
    [
      "a custom id of 101 characters",
      { components: [row(button({ custom_id: "x".repeat(101) }))] },
      "components.0.components.0.custom_id",
      "BASE_TYPE_MAX_LENGTH",
    ],
    [
      "two equal custom ids",
      { components: [row(button({ custom_id: "a" }), button({ custom_id: "a" }))] },
      "components.0.components.1.custom_id",
      "COMPONENT_CUSTOM_ID_DUPLICATED",
    ],
    [
      "a button without custom id",
      { components: [row({ type: 2, style: 1, label: "x" })] },
      "components.0.components.0",
      "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED",
    ],
    [
      "a link button without url",
      { components: [row({ type: 2, style: 5, label: "x" })] },
      "components.0.components.0",
      "BUTTON_COMPONENT_INVALID_URL",
    ],
    [
      "a button that shows nothing",
      { components: [row({ type: 2, style: 1, custom_id: "a" })] },
      "components.0.components.0",
      "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED",
    ],
    [
      "a menu beside a button",
      { components: [row(button(), { type: 3, custom_id: "m", options: [{ label: "a", value: "a" }] })] },
      "components.0.components",
      "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
    ],
    [
      "a menu with equal values",
      {
        components: [
          row({
            type: 3,
            custom_id: "m",
            options: [
              { label: "a", value: "a" },
              { label: "b", value: "a" },
            ],
          }),
        ],
      },
      "components.0.components.0.options",
      "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
    ],
    [
      "content beside Components V2",
      { content: "x", flags: V2, components: [{ type: 10, content: "x" }] },
      "content",
      "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
    ],
    [
      "4,001 characters of text displays",
      {
        flags: V2,
        components: [
          { type: 10, content: "x".repeat(4000) },
          { type: 10, content: "x" },
        ],
      },
      "components",
      "COMPONENT_TEXT_DISPLAY_TOO_LONG",
    ],
    [
      "41 components in all",
      { flags: V2, components: [{ type: 17, components: Array.from({ length: 40 }, () => ({ type: 10, content: "x" })) }] },
      "components",
      "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
    ],
    [
      "mentions that say two things",
      { content: "x", allowed_mentions: { parse: ["users"], users: ["1"] } },
      "allowed_mentions",
      "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
    ],
    ["an unknown kind of mention", { content: "x", allowed_mentions: { parse: ["all"] } }, "allowed_mentions.parse.0", "BASE_TYPE_CHOICES"],
    ["a file that did not come", { content: "x", attachments: [{ id: 0, filename: "a.txt" }] }, "attachments.0.id", "ATTACHMENT_NOT_FOUND"],
    [
      "a description of 1,025 characters",
      { content: "x", attachments: [{ id: "0", description: "x".repeat(1025) }] },
      "attachments.0.description",
      "BASE_TYPE_MAX_LENGTH",
    ],
  ])("may not have %s", (_, body, path, code) => {
    const form = checkMessageBody("channel-create", body);
    let node: unknown = form.errors();
    for (const key of path.split(".")) node = (node as Record<string, unknown> | undefined)?.[key];
    expect(node, JSON.stringify(form.errors())).toMatchObject({ _errors: expect.arrayContaining([expect.objectContaining({ code })]) });
    expect(form.summary()).toContain(path);
  });

  it("must be an object", () => {
    expect(checkMessageBody("webhook-edit", "text").ok).toBe(false);
  });

  it("keeps its Components V2 flag through edits", () => {
    const display = { components: [{ type: 10, content: "x" }] };
    expect(checkMessageBody("webhook-edit", display).ok).toBe(false);
    expect(checkMessageBody("webhook-edit", display, { flags: V2 }).ok).toBe(true);
  });
});
