import { expect, it } from "vitest";
import type { SnapshotBackup } from "../../schemas/index.ts";
import { snapshotResultOf } from "../testing/test-agent.ts";
import { resultFields } from "./render-backup.ts";
import { FORMAT_DEFAULT } from "./text.ts";

const fieldsOf = (more: Partial<SnapshotBackup>) =>
  Object.fromEntries(resultFields(snapshotResultOf("island", more), FORMAT_DEFAULT).map(({ name, value }) => [name, value]));

it("a snapshot tells what was new, what was reused, and where it is", () => {
  expect(fieldsOf({ snapshot: "ab12cd34".padEnd(64, "0") })).toMatchObject({
    Size: "2.8 GB",
    New: "28.0 MB, stored as 20.0 MB",
    Reused: "2.8 GB, 99 % (dedup 100 : 1)",
    Repository: "1.5 GB in all",
    Where: "R2\nSnapshot `ab12cd34`",
  });
});

it("a backup tells what its consistency rests on, and no text of a game becomes markup", () => {
  const evidence = ["save-off answered 'Automatic saving is now disabled'", "log said '**@everyone** [x](https://x.example)'"];
  const { Consistency = "" } = fieldsOf({ consistency: "quiesced", evidence });
  expect(Consistency).toContain("Quiesced: saves were held\n- save-off answered 'Automatic saving is now disabled'\n- ");
  expect(Consistency).not.toContain("**@everyone**");
  expect(Consistency).not.toContain("[x](https");
});

it("what the label says is not said again below it", () => {
  const evidence = ["saves were not held: config.yaml gives this server no console", "no file changed while it was read"];
  expect(fieldsOf({ consistency: "stable", evidence }).Consistency).toBe(
    "Stable: no file changed while it was read\n- saves were not held: config.yaml gives this server no console",
  );
});

it("more evidence than a field of Discord holds is cut at a whole line", () => {
  const { Consistency = "" } = fieldsOf({ evidence: Array.from({ length: 10 }, (_, n) => `${n} ${"x".repeat(190)}`) });
  expect(Consistency.length).toBeLessThanOrEqual(1024);
  expect(Consistency.split("\n").length).toBeGreaterThan(4);
});

it.each([
  ["of which all is new", { sourceBytes: 1000, newBytes: 1400 }, { New: "1.4 kB, stored as 20.0 MB", Reused: "0 B, 0 % (dedup 1 : 1)" }],
  ["of which nothing is new", { sourceBytes: 1000, newBytes: 0, bytes: 0 }, { New: "0 B, stored as 0 B", Reused: "1.0 kB, 100 %" }],
  ["of an empty world", { sourceBytes: 0, newBytes: 0, bytes: 0 }, { Size: "0 B", Reused: "0 B, 0 %" }],
  [
    "at an address",
    { store: "url", place: "sftp:me@nas:/backups/island" },
    { Where: "`sftp:me@nas:/backups/island`\nSnapshot `ffffffff`" },
  ],
] as const)("a snapshot %s", (_, more, fields) => {
  expect(fieldsOf(more)).toMatchObject(fields);
});
