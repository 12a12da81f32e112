import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Reply } from "./testing/application.ts";
import { HERE, type Stage, setStage } from "./testing/setup.ts";

let stage: Stage;
let message = "";

const BUTTONS = {
  type: 1,
  components: [
    { type: 2, style: 4, label: "Cancel", custom_id: "cancel" },
    { type: 2, style: 1, label: "Done", custom_id: "done", disabled: true },
  ],
};
const MENU = {
  type: 1,
  components: [
    { type: 3, custom_id: "pick", min_values: 1, max_values: 2, options: ["a", "b", "c"].map((value) => ({ label: value, value })) },
  ],
};
const MODAL = {
  custom_id: "why",
  title: "Why?",
  components: [
    { type: 1, components: [{ type: 4, custom_id: "reason", style: 1, label: "Reason", min_length: 3, max_length: 10 }] },
    { type: 18, label: "More", component: { type: 4, custom_id: "more", style: 2, required: false } },
  ],
};

beforeEach(async () => {
  stage = await setStage();
  await stage.register();
  stage.application.reply = () => ({ body: { type: 4, data: { content: "running", components: [BUTTONS, MENU] } } });
  const outcome = await stage.sandbox.command({ ...HERE, command: "status" });
  message = outcome.message?.id ?? "";
});
afterEach(() => stage.close());

const replies = (body: unknown) => (): Reply => ({ body });

describe("a component", () => {
  it("sends the message that carries it, and an update changes that message", async () => {
    stage.application.reply = replies({ type: 7, data: { content: "cancelled", components: [] } });
    const outcome = await stage.sandbox.component({ ...HERE, message, customId: "cancel" });
    expect(outcome).toMatchObject({ ok: true, message: { id: message, content: "cancelled", components: [], edits: 1 } });
    expect(stage.application.received.at(-1)).toMatchObject({
      type: 3,
      data: { custom_id: "cancel", component_type: 2 },
      message: { id: message, content: "running", author: { id: stage.sandbox.applicationId } },
    });
    expect(stage.sandbox.history(message).map((version) => version.content)).toEqual(["running", "cancelled"]);
  });

  it("can be acknowledged now and updated later through its token", async () => {
    stage.application.reply = replies({ type: 6 });
    const { token, ...outcome } = await stage.sandbox.component({ ...HERE, message, customId: "cancel" });
    expect(outcome).toMatchObject({ ok: true, message: { content: "running", edits: 0 } });
    const path = `/webhooks/${stage.sandbox.applicationId}/${token}/messages/@original`;
    expect(await stage.call("PATCH", path, { content: "stopping" })).toMatchObject({
      status: 200,
      body: { id: message, content: "stopping" },
    });
  });

  it("may be answered with a message of its own", async () => {
    stage.application.reply = replies({ type: 4, data: { content: "sure?", flags: 64 } });
    const outcome = await stage.sandbox.component({ ...HERE, member: "player", message, customId: "cancel" });
    expect(outcome.message).toMatchObject({ content: "sure?", ephemeral: true, interaction: { name: "cancel", member: "Pebble" } });
    expect(outcome.message?.id).not.toBe(message);
  });

  it("sends the chosen values of a menu", async () => {
    await stage.sandbox.component({ ...HERE, message, customId: "pick", values: ["a", "c"] });
    expect(stage.application.received.at(-1)).toMatchObject({ data: { custom_id: "pick", component_type: 3, values: ["a", "c"] } });
  });

  it.each([
    ["is disabled", { customId: "done" }, "component_disabled"],
    ["is not there", { customId: "other" }, "unknown_component"],
    ["is on no message", { message: "1" }, "unknown_message"],
    ["is in another channel", { channel: "servers" }, "unknown_message"],
    ["is a menu with too few values", { customId: "pick", values: [] }, "bad_values"],
    ["is a menu with too many values", { customId: "pick", values: ["a", "b", "c"] }, "bad_values"],
    ["is a menu without that value", { customId: "pick", values: ["z"] }, "bad_values"],
  ])("is refused when it %s", async (_, change, code) => {
    await expect(stage.sandbox.component({ ...HERE, message, customId: "cancel", ...change })).rejects.toMatchObject({ code });
  });

  it("on an ephemeral message is not there for others, unless forced", async () => {
    stage.application.reply = replies({ type: 4, data: { content: "mine", flags: 64, components: [BUTTONS] } });
    const mine = (await stage.sandbox.command({ ...HERE, command: "status" })).message?.id ?? "";
    const theirs = { ...HERE, member: "player", message: mine, customId: "cancel" };
    await expect(stage.sandbox.component(theirs)).rejects.toMatchObject({ code: "unknown_message" });
    await stage.sandbox.component({ ...theirs, customId: "forged", force: true });
    expect(stage.application.received.at(-1)).toMatchObject({ data: { custom_id: "forged" }, member: { user: { username: "pebble" } } });
  });

  it("fails with its own words", async () => {
    stage.application.reply = () => ({ status: 500 });
    const outcome = await stage.sandbox.component({ ...HERE, message, customId: "cancel" });
    expect(outcome).toMatchObject({ ok: false, message: { content: "This interaction failed", ephemeral: true } });
  });
});

describe("a modal", () => {
  beforeEach(async () => {
    stage.application.reply = replies({ type: 9, data: MODAL });
    const outcome = await stage.sandbox.component({ ...HERE, message, customId: "cancel" });
    expect(outcome.modal).toEqual(MODAL);
    stage.application.reply = replies({ type: 7, data: { content: "noted" } });
  });

  it("sends what was filled in, in the shape of its rows and labels", async () => {
    const outcome = await stage.sandbox.modal({ ...HERE, customId: "why", fields: { reason: "because" } });
    expect(outcome).toMatchObject({ ok: true, message: { id: message, content: "noted" } });
    expect(stage.application.received.at(-1)).toMatchObject({
      type: 5,
      message: { id: message },
      data: {
        custom_id: "why",
        components: [
          { type: 1, components: [{ type: 4, custom_id: "reason", value: "because" }] },
          { type: 18, component: { type: 4, custom_id: "more", value: "" } },
        ],
      },
    });
  });

  it("can be submitted once", async () => {
    const input = { ...HERE, customId: "why", fields: { reason: "because" } };
    await stage.sandbox.modal(input);
    await expect(stage.sandbox.modal(input)).rejects.toMatchObject({ code: "modal_not_open" });
  });

  it("is open for its member alone", async () => {
    const input = { ...HERE, member: "player", customId: "why", fields: { reason: "because" } };
    await expect(stage.sandbox.modal(input)).rejects.toMatchObject({ code: "modal_not_open" });
  });

  it.each([
    ["a required field is empty", {}, "bad_field"],
    ["a text is too short", { reason: "x" }, "bad_field"],
    ["a text is too long", { reason: "x".repeat(11) }, "bad_field"],
    ["a field is unknown", { reason: "because", other: "x" }, "unknown_field"],
  ])("is refused when %s", async (_, fields, code) => {
    await expect(stage.sandbox.modal({ ...HERE, customId: "why", fields: { ...fields } })).rejects.toMatchObject({ code });
  });

  it.each([
    ["has two fields of one id", { ...MODAL, components: [MODAL.components[0], MODAL.components[0]] }],
    ["has a title of 46 characters", { ...MODAL, title: "x".repeat(46) }],
    ["has no fields", { ...MODAL, components: [] }],
  ])("fails the interaction when it %s", async (_, data) => {
    stage.application.reply = replies({ type: 9, data });
    expect(await stage.sandbox.command({ ...HERE, command: "status" })).toMatchObject({ ok: false, failure: { code: "invalid_response" } });
  });

  it("cannot answer a modal", async () => {
    stage.application.reply = replies({ type: 9, data: MODAL });
    const outcome = await stage.sandbox.modal({ ...HERE, customId: "why", fields: { reason: "because" } });
    expect(outcome).toMatchObject({ ok: false, failure: { code: "invalid_response" } });
  });
});
