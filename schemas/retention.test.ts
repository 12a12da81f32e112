import { describe, expect, it } from "vitest";
import { expired, type KeptBackup } from "./retention.ts";

const DAY = 86_400_000;
const NOW = 1_800_000_000_000;
const backup = (id: string, daysAgo: number, good = true): KeptBackup => ({ id, at: NOW - daysAgo * DAY, good });

describe("expired", () => {
  it("keeps the newest by count and names the rest, oldest first", () => {
    const backups = [backup("c", 3), backup("a", 1), backup("d", 4), backup("b", 2)];
    expect(expired(backups, { keepLast: 2 }, NOW)).toEqual(["d", "c"]);
  });

  it("keeps what either the count or the age wants", () => {
    const backups = [backup("a", 1), backup("b", 2), backup("c", 10), backup("d", 20)];
    expect(expired(backups, { keepLast: 1, keepDays: 5 }, NOW)).toEqual(["d", "c"]);
    expect(expired(backups, { keepLast: 3, keepDays: 5 }, NOW)).toEqual(["d"]);
  });

  it("never removes the newest good one, however old it is and whatever the rule says", () => {
    expect(expired([backup("old", 900)], { keepLast: 1, keepDays: 1 }, NOW)).toEqual([]);
    expect(expired([backup("old", 900)], { keepLast: 0 }, NOW)).toEqual([]);
    expect(expired([backup("bad", 1, false), backup("old", 900)], { keepLast: 1 }, NOW)).toEqual([]);
  });

  it("does not let bad backups push out good ones", () => {
    const backups = [backup("bad1", 1, false), backup("bad2", 2, false), backup("good1", 3), backup("good2", 4), backup("good3", 5)];
    expect(expired(backups, { keepLast: 2 }, NOW)).toEqual(["good3"]);
  });

  it("never removes the newest one that is not torn, though newer torn ones fill the count", () => {
    const torn = (id: string, daysAgo: number) => ({ ...backup(id, daysAgo), torn: true });
    const backups = [torn("t1", 1), torn("t2", 2), torn("t3", 3), backup("whole", 4), backup("older", 5)];
    expect(expired(backups, { keepLast: 2 }, NOW)).toEqual(["older", "t3"]);
  });

  it("removes nothing while there is no good one", () => {
    expect(expired([backup("a", 100, false), backup("b", 200, false)], { keepLast: 1, keepDays: 1 }, NOW)).toEqual([]);
  });

  it("removes an old bad one once there are enough newer good ones", () => {
    const backups = [backup("good1", 1), backup("good2", 2), backup("bad", 3, false)];
    expect(expired(backups, { keepLast: 2 }, NOW)).toEqual(["bad"]);
  });

  it("keeps a backup whose clock was ahead", () => {
    expect(expired([backup("future", -30), backup("now", 0)], { keepLast: 1, keepDays: 7 }, NOW)).toEqual([]);
  });
});
