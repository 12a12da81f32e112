import { MessageResponseSchema } from "discord-api-spec/zod";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FILE_BYTES_MAX } from "../check/uploads.ts";
import { formOf, HERE, type Stage, setStage } from "../testing/setup.ts";

interface Posted {
  id: string;
  attachments: { id: string; filename: string; size: number; url: string; content_type: string }[];
}

let stage: Stage;
let messages = "";

beforeEach(async () => {
  stage = await setStage();
  await stage.register();
  messages = `/channels/${stage.channelId}/messages`;
});
afterEach(() => stage.close());

const CSV = "when,who\n1,Marlin\n";
const post = (form: FormData) => stage.call<Posted>("POST", messages, form);
const zeros = (size: number) => new Blob([new Uint8Array(size)], { type: "application/zip" });

describe("a message with files", () => {
  it("keeps them, and serves them at their address", async () => {
    const form = formOf(
      { content: "Here.", attachments: [{ id: 0, description: "All of it" }, { id: 1 }] },
      { "audit log.csv": CSV, "b.bin": zeros(3) },
    );
    const { status, body } = await post(form);
    expect(status).toBe(200);
    expect(MessageResponseSchema.safeParse(body)).toMatchObject({ success: true });
    expect(body.attachments).toMatchObject([
      { filename: "audit_log.csv", title: "audit log", size: CSV.length, content_type: "text/csv", description: "All of it" },
      { filename: "b.bin", size: 3, content_type: "application/zip" },
    ]);
    const [first] = body.attachments;
    expect(first?.url).toBe(`${stage.sandbox.url}/attachments/${stage.channelId}/${first?.id}/audit_log.csv`);
    const served = await fetch(first?.url ?? "");
    expect(await served.text()).toBe(CSV);
    expect(served.headers.get("content-disposition")).toBe('attachment; filename="audit_log.csv"');
    expect(served.headers.get("x-content-type-options")).toBe("nosniff");
    expect(new TextDecoder().decode(stage.sandbox.file(first?.id ?? "")?.bytes)).toBe(CSV);
    expect(stage.sandbox.message(body.id)?.attachments).toEqual(body.attachments);
    expect(stage.sandbox.calls.at(-1)).toMatchObject({
      body: { content: "Here." },
      files: [
        { filename: "audit log.csv", contentType: "text/csv", size: CSV.length },
        { filename: "b.bin", size: 3 },
      ],
    });
  });

  it("may consist of nothing else, and of plain fields instead of JSON", async () => {
    expect((await post(formOf({}, { "a.csv": CSV }))).body).toMatchObject({ content: "", attachments: [{ filename: "a.csv" }] });
    const plain = new FormData();
    plain.set("content", "Only words");
    expect((await post(plain)).body).toMatchObject({ content: "Only words", attachments: [] });
  });

  it("takes of the files only those that its list names, when it has one", async () => {
    const { body } = await post(
      formOf({ content: "x", attachments: [{ id: "1", filename: "renamed.csv" }] }, { "a.csv": CSV, "b.csv": "b" }),
    );
    expect(body.attachments).toMatchObject([{ filename: "renamed.csv", size: 1 }]);
    expect(await post(formOf({ attachments: [] }, { "a.csv": CSV }))).toMatchObject({ status: 400, body: { code: 50006 } });
  });

  it("keeps by an edit what the list names, takes new files, and lets go of the rest", async () => {
    const { body } = await post(formOf({ content: "x" }, { "a.csv": CSV, "b.csv": "b" }));
    const [a, b] = body.attachments;
    const path = `${messages}/${body.id}`;
    const untouched = await stage.call<Posted>("PATCH", path, { content: "y" });
    expect(untouched.body.attachments).toEqual(body.attachments);
    const listed = { attachments: [{ id: b?.id, description: "the second" }, { id: 0 }] };
    const edited = await stage.call<Posted>("PATCH", path, formOf(listed, { "c.csv": "c" }));
    expect(edited.body.attachments).toMatchObject([{ ...b, description: "the second" }, { filename: "c.csv" }]);
    expect((await fetch(a?.url ?? "")).status).toBe(404);
    expect((await fetch(b?.url ?? "")).status).toBe(200);
    const added = await stage.call<Posted>("PATCH", path, formOf({}, { "d.csv": "d" }));
    expect(added.body.attachments.map((one) => one.filename)).toEqual(["b.csv", "c.csv", "d.csv"]);
    expect(stage.sandbox.history(body.id).map((version) => version.attachments.length)).toEqual([2, 2, 2, 3]);
    expect(await stage.call("PATCH", path, { content: "", attachments: null })).toMatchObject({ status: 400, body: { code: 50006 } });
    expect((await stage.call<Posted>("PATCH", path, { attachments: null })).body.attachments).toEqual([]);
  });

  it("takes its files along when it is deleted", async () => {
    const { body } = await post(formOf({}, { "a.csv": CSV }));
    const [file] = body.attachments;
    await stage.call("DELETE", `${messages}/${body.id}`);
    expect((await fetch(file?.url ?? "")).status).toBe(404);
    expect(stage.sandbox.file(file?.id ?? "")).toBeUndefined();
  });

  it("has its files under their own address only", async () => {
    const { body } = await post(formOf({}, { "a.csv": CSV }));
    const url = body.attachments[0]?.url ?? "";
    for (const other of [`${url}/x`, url.replace("a.csv", "b.csv"), url.replace(stage.channelId, "1")])
      expect((await fetch(other)).status).toBe(404);
  });
});

describe("a form is refused", () => {
  const broken = (fields: Record<string, string>, boundary = "b") => {
    const parts = Object.entries(fields).map(
      ([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    );
    return [`${parts.join("")}--b--\r\n`, { "Content-Type": `multipart/form-data; boundary=${boundary}` }] as const;
  };

  it("for a file that is too large, up to which all is well", async () => {
    expect((await post(formOf({}, { "a.zip": zeros(FILE_BYTES_MAX) }))).status).toBe(200);
    expect(await post(formOf({}, { "a.zip": zeros(FILE_BYTES_MAX + 1) }))).toMatchObject({ status: 413, body: { code: 40005 } });
  });

  it("for files that are too large together", async () => {
    const files = { "a.zip": zeros(FILE_BYTES_MAX), "b.zip": zeros(FILE_BYTES_MAX), "c.zip": zeros(FILE_BYTES_MAX) };
    expect(await post(formOf({}, files))).toMatchObject({ status: 413, body: { code: 40005 } });
  });

  it("for more than 10 files, in one call and over several", async () => {
    const files = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}.csv`, "x"]));
    expect(await post(formOf({}, files(11)))).toMatchObject({ status: 400, body: { code: 30015 } });
    const { body } = await post(formOf({}, files(10)));
    expect(await stage.call("PATCH", `${messages}/${body.id}`, formOf({}, { "more.csv": "x" }))).toMatchObject({
      status: 400,
      body: { code: 50035, errors: { attachments: { _errors: [{ code: "BASE_TYPE_MAX_LENGTH" }] } } },
    });
  });

  it("for files that the list names wrongly or twice", async () => {
    for (const attachments of [[{ id: 1 }], [{ id: 0 }, { id: 0 }]]) {
      expect(await post(formOf({ content: "x", attachments }, { "a.csv": CSV }))).toMatchObject({ status: 400, body: { code: 50035 } });
    }
  });

  it("for fields of other names, JSON that is none, and what is no form", async () => {
    const named = new FormData();
    named.set("document", new Blob([CSV]), "a.csv");
    expect(await post(named)).toMatchObject({ status: 400, body: { code: 50035, errors: { document: {} } } });
    expect(await stage.call("POST", messages, ...broken({ payload_json: "{" }))).toMatchObject({ status: 400, body: { code: 50109 } });
    expect(await stage.call("POST", messages, ...broken({ content: "x" }, "other"))).toMatchObject({ status: 400, body: { code: 50035 } });
  });

  it("where no files belong", async () => {
    const path = `/applications/${stage.sandbox.applicationId}/commands`;
    expect(await stage.call("PUT", path, formOf([], {}))).toMatchObject({
      status: 400,
      body: { errors: { _errors: [{ code: "CONTENT_TYPE_INVALID" }] } },
    });
  });
});

describe("an interaction's response", () => {
  const report = { content: "The log", flags: 64 };

  it("may be a form with files, which belong to the one who sees it", async () => {
    stage.application.reply = () => ({
      body: formOf({ type: 4, data: { ...report, attachments: [{ id: 0, description: "CSV" }] } }, { "log.csv": CSV }),
    });
    const outcome = await stage.sandbox.command({ ...HERE, command: "status" });
    expect(outcome).toMatchObject({
      ok: true,
      response: { type: 4 },
      message: { ephemeral: true, attachments: [{ filename: "log.csv", ephemeral: true, description: "CSV" }] },
    });
    expect(await (await fetch(outcome.message?.attachments[0]?.url ?? "")).text()).toBe(CSV);
  });

  it("may bring files later: by an edit after deferring, and in a follow-up", async () => {
    stage.application.reply = () => ({ body: { type: 5, data: { flags: 64 } } });
    const { token } = await stage.sandbox.command({ ...HERE, command: "status" });
    const hook = `/webhooks/${stage.sandbox.applicationId}/${token}`;
    const original = await stage.call<Posted>("PATCH", `${hook}/messages/@original`, formOf({ content: "ready" }, { "log.csv": CSV }));
    expect(original).toMatchObject({ status: 200, body: { content: "ready", attachments: [{ filename: "log.csv" }] } });
    const more = await stage.call<Posted>("POST", hook, formOf({}, { "more.csv": CSV }));
    expect(more).toMatchObject({ status: 200, body: { attachments: [{ filename: "more.csv" }] } });
  });

  it("may come with files through the callback route", async () => {
    stage.application.reply = async ({ id, token }) => {
      await stage.call("POST", `/interactions/${id}/${token}/callback`, formOf({ type: 4, data: {} }, { "log.csv": CSV }));
      return { status: 202 };
    };
    expect(await stage.sandbox.command({ ...HERE, command: "status" })).toMatchObject({
      message: { attachments: [{ filename: "log.csv" }] },
    });
  });

  it("may renew the files of the message whose button was pressed", async () => {
    const components = [{ type: 1, components: [{ type: 2, style: 1, label: "Next", custom_id: "next" }] }];
    stage.application.reply = ({ type }) =>
      type === 2
        ? { body: formOf({ type: 4, data: { components } }, { "page-1.csv": "1" }) }
        : { body: formOf({ type: 7, data: { attachments: [{ id: 0 }] } }, { "page-2.csv": "2" }) };
    const { message } = await stage.sandbox.command({ ...HERE, command: "status" });
    const turned = await stage.sandbox.component({ ...HERE, message: message?.id ?? "", customId: "next" });
    expect(turned.message?.attachments).toMatchObject([{ filename: "page-2.csv" }]);
    expect((await fetch(message?.attachments[0]?.url ?? "")).status).toBe(404);
  });

  it.each([
    ["a deferral with files", () => formOf({ type: 5 }, { "log.csv": CSV }), "takes no files"],
    ["a file that is too large", () => formOf({ type: 4, data: {} }, { "a.zip": zeros(FILE_BYTES_MAX + 1) }), "too large"],
    ["a list that names no file", () => formOf({ type: 4, data: { content: "x", attachments: [{ id: 3 }] } }, {}), "no file"],
    ["nothing to show", () => formOf({ type: 4, data: {} }, {}), "empty message"],
  ])("fails with %s", async (_, form, words) => {
    stage.application.reply = () => ({ body: form() });
    const outcome = await stage.sandbox.command({ ...HERE, command: "status" });
    const failure = { code: "invalid_response", reason: expect.stringContaining(words) };
    expect(outcome).toMatchObject({ ok: false, status: 200, failure });
  });
});
