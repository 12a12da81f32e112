import { describe, expect, test } from "vitest";
import { choosePlacement, parseMountInfo, type Surroundings } from "./placement.ts";

const ID = "0123456789abcdef";
const around = (given: Partial<Surroundings> = {}): Surroundings => ({
  mounts: ["/", "/proc"],
  ours: ["/var/lib/reconsync/state.db"],
  writable: () => true,
  sameVolume: () => true,
  platform: "linux",
  ...given,
});

describe("where a restore is made ready", () => {
  test("is beside the server's folder, which then changes places in one step", () => {
    expect(choosePlacement("/srv/ark", true, ID, around())).toEqual({
      kind: "beside",
      folder: "/srv/ark",
      there: true,
      stage: `/srv/.ark.reconsync-restore-${ID}`,
    });
  });

  test.each([
    ["it is a mount point", { mounts: ["/", "/srv/ark"] }],
    ["something is mounted in it", { mounts: ["/", "/srv/ark/mods"] }],
    ["the agent's database lies in it", { ours: ["/srv/ark/reconsync/state.db"] }],
    ["it lies on another volume than the folder that it is in", { sameVolume: () => false }],
    ["nothing can be made in the folder that it is in", { writable: () => false }],
  ])("is inside of it where %s", (_why, given) => {
    expect(choosePlacement("/srv/ark", true, ID, around(given))).toMatchObject({
      kind: "inside",
      stage: `/srv/ark/.reconsync-restore-${ID}`,
    });
  });

  test("is not moved by a folder with a longer name", () => {
    expect(choosePlacement("/srv/ark", true, ID, around({ mounts: ["/", "/srv/ark2"] })).kind).toBe("beside");
  });

  test("of a folder that is not there yet is beside its place", () => {
    expect(choosePlacement("/srv/ark", false, ID, around({ sameVolume: () => false })).kind).toBe("beside");
  });

  test("of the top of a volume is inside", () => {
    expect(choosePlacement("/", true, ID, around()).kind).toBe("inside");
  });
});

test("mount points are read with their spaces", () => {
  const text =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n36 35 98:0 /mnt1 /srv/my\\040games rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n";
  expect(parseMountInfo(text)).toEqual(["/proc", "/srv/my games"]);
});
