import { join } from "node:path";
import { expect, test } from "vitest";
import type { HoldStep } from "../../schemas/hold.ts";
import { systemClock } from "../clock.ts";
import { temporaryFolder } from "../testing/fixtures.ts";
import { openState } from "./state.ts";

const STEPS: HoldStep[] = [{ command: "save-on", expect: ["a", "b"], timeout_seconds: 5 }, { program: ["/bin/true", "x"] }];

test("an open hold outlives the process, with its steps as they were, one a server", async () => {
  const file = join(await temporaryFolder(), "state.db");
  const first = openState(file, systemClock);
  first.holds.open("island", 1000, [{ command: "old" }]);
  first.holds.open("island", 2000, STEPS);
  first.holds.open("center", 1500, []);
  first.close();
  const second = openState(file, systemClock);
  expect(second.holds.all()).toEqual([
    { server: "center", since: 1500, steps: [], attempts: 0, nextAt: 0 },
    { server: "island", since: 2000, steps: STEPS, attempts: 0, nextAt: 0 },
  ]);
  second.holds.failed("island", 9000);
  second.holds.failed("island", 10_000);
  expect(second.holds.get("island")).toMatchObject({ attempts: 2, nextAt: 10_000 });
  second.holds.startAnew();
  expect(second.holds.get("island")).toMatchObject({ attempts: 0, nextAt: 0 });
  second.holds.closed("island");
  second.holds.closed("island");
  expect(second.holds.get("island")).toBeUndefined();
  expect(second.holds.all().length).toBe(1);
  second.close();
});
