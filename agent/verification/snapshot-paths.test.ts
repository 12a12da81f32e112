import { expect, test } from "vitest";
import { inServerFolder, namesOfSource, tornPaths } from "./snapshot-paths.ts";

test("a server's folder is found in its snapshot, whichever system made it", () => {
  expect(namesOfSource("/srv/ark")).toEqual(["srv", "ark"]);
  expect(namesOfSource("C:\\games\\ark")).toEqual(["C", "games", "ark"]);
  expect(namesOfSource("\\\\nas\\share\\ark")).toEqual(["nas", "share", "ark"]);
  expect(inServerFolder("/srv/ark", "/srv/ark/Saved/a.ark")).toBe("Saved/a.ark");
  expect(inServerFolder("C:\\games\\ark", "/C/games/ark/Saved/a.ark")).toBe("Saved/a.ark");
  expect(inServerFolder("/srv/ark", "/reconsync-report.json")).toBe("/reconsync-report.json");
});

test("files that were torn are told by the backup's report", () => {
  const report = (...paths: string[]) =>
    JSON.stringify({
      format: 1,
      problems: [...paths.map((path) => ({ path, kind: "changed", detail: "" })), { path: "/srv/ark/gone", kind: "vanished", detail: "" }],
    });
  expect(tornPaths(report("/srv/ark/world/a\\b.mca", "/srv/ark2/other"), "/srv/ark")).toEqual(new Set(["world/a\\b.mca"]));
  expect(tornPaths(report("C:\\Games\\ark\\world\\r.mca"), "C:\\games\\ark")).toEqual(new Set(["world/r.mca"]));
});
