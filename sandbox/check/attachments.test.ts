import { expect, it } from "vitest";
import { Files } from "../state/files.ts";
import { safeFilename } from "./attachments.ts";

it.each([
  ["audit-2026_11.csv", "audit-2026_11.csv"],
  ["audit log (1).csv", "audit_log_1.csv"],
  ["_hidden.txt", "hidden.txt"],
  ["../../etc/passwd", "etc_passwd"],
  ["C:\\Users\\me\\a.txt", "C_Users_me_a.txt"],
  ["Übersicht.csv", "Ubersicht.csv"],
  ['a"b\r\nc.csv', "ab_c.csv"],
  ["画像.png", "png"],
  ["…", "file"],
])("the name %j is kept as %s", (given, kept) => {
  expect(safeFilename(given)).toBe(kept);
});

it("the oldest files make room for new ones", () => {
  const files = new Files(10);
  const add = (id: string, size: number) =>
    files.add({ id, channelId: "1", filename: "a", contentType: "text/plain", bytes: new Uint8Array(size) });
  add("1", 6);
  add("2", 4);
  add("3", 3);
  expect(files.all().map((file) => file.id)).toEqual(["2", "3"]);
  add("4", 11);
  expect(files.all().map((file) => file.id)).toEqual(["4"]);
  files.remove("4");
  files.remove("4");
  add("5", 10);
  expect(files.all().map((file) => file.id)).toEqual(["5"]);
});
