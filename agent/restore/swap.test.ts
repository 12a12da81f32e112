import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { temporaryFolder } from "../testing/fixtures.ts";
import { type SwapUnit, swapBack, swapIn } from "./swap.ts";

const options = { clock: systemClock };

/** Three pieces: one that is replaced, one that is new, one that goes. */
async function scene() {
  const root = await temporaryFolder();
  for (const folder of ["live", "new", "old"]) mkdirSync(join(root, folder));
  const unit = (name: string, { staged = true, there = true }): SwapUnit => {
    if (there) writeFileSync(join(root, "live", name), `old ${name}`);
    if (staged) writeFileSync(join(root, "new", name), `new ${name}`);
    return { live: join(root, "live", name), staged: staged ? join(root, "new", name) : null, old: there ? join(root, "old", name) : null };
  };
  const units = [unit("replaced", {}), unit("added", { there: false }), unit("removed", { staged: false })];
  const live = () =>
    Object.fromEntries(readdirSync(join(root, "live")).map((name) => [name, readFileSync(join(root, "live", name), "utf8")]));
  return { root, units, live };
}

const OLD = { replaced: "old replaced", removed: "old removed" };
const NEW = { replaced: "new replaced", added: "new added" };

describe("the swap", () => {
  test("puts the new in place of the old, also when it is told twice", async () => {
    const { units, live } = await scene();
    await swapIn(units, options);
    expect(live()).toEqual(NEW);
    await swapIn(units, options);
    expect(live()).toEqual(NEW);
  });

  test("goes back, also when it is told twice, or when nothing was swapped", async () => {
    const { root, units, live } = await scene();
    expect(await swapBack(units, root, options)).toEqual([]);
    expect(live()).toEqual(OLD);
    await swapIn(units, options);
    await swapBack(units, root, options);
    await swapBack(units, root, options);
    expect(live()).toEqual(OLD);
  });

  test.each([0, 1, 2, 3, 4])("goes back and forth from wherever it broke off: after %i renames", async (renames) => {
    for (const forth of [false, true]) {
      const { root, units, live } = await scene();
      let left = renames;
      const steps = units.flatMap(({ live: at, staged, old }): [string, string][] => [
        ...(old === null ? [] : [[at, old] as [string, string]]),
        ...(staged === null ? [] : [[staged, at] as [string, string]]),
      ]);
      const { renameSync } = await import("node:fs");
      for (const [from, to] of steps) if (left-- > 0) renameSync(from, to);
      if (forth) await swapIn(units, options);
      else await swapBack(units, root, options);
      expect(live()).toEqual(forth ? NEW : OLD);
    }
  });

  test("never overwrites what somebody makes in the freed place: the old comes back, and the other is kept", async () => {
    const { root, units, live } = await scene();
    const [first] = units;
    if (first === undefined) throw new Error("no unit");
    const { renameSync } = await import("node:fs");
    renameSync(first.live, first.old ?? "");
    writeFileSync(first.live, "a new world that the game made");
    await expect(swapIn(units, options)).rejects.toMatchObject({ code: "restore-swap-failed" });
    const [stray = ""] = await swapBack(units, root, options);
    expect(readFileSync(stray, "utf8")).toBe("a new world that the game made");
    expect(live()).toEqual(OLD);
  });

  test("that cannot be made says so, and leaves the old", async () => {
    const { root, units, live } = await scene();
    const broken = units.map((unit, at) => (at === 1 ? { ...unit, live: join(root, "no such folder", "x") } : unit));
    await expect(swapIn(broken, options)).rejects.toMatchObject({ code: "restore-swap-failed" });
    await swapBack(broken, root, options);
    expect(live()).toEqual(OLD);
    expect(existsSync(join(root, "new", "added"))).toBe(true);
  });
});
