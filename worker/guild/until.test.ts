import { expect, it } from "vitest";
import { parseUntil } from "./until.ts";

const NOW = Date.parse("2031-03-29T12:00:00Z");
const HOUR = 3_600_000;

it.each([
  ["2h", NOW + 2 * HOUR],
  ["90m", NOW + 1.5 * HOUR],
  ["90 min", NOW + 1.5 * HOUR],
  ["3d", NOW + 72 * HOUR],
  ["1w 2d 3h 4m", NOW + (9 * 24 + 3) * HOUR + 4 * 60_000],
  ["2H", NOW + 2 * HOUR],
  ["366d", NOW + 366 * 24 * HOUR],
  ["2031-03-29 18:00", Date.parse("2031-03-29T17:00Z")],
  ["2031-03-29T18:00", Date.parse("2031-03-29T17:00Z")],
  ["2031-06-01 00:00", Date.parse("2031-05-31T22:00Z")],
  // Twice, since the clock is put back: the first one.
  ["2031-10-26 02:30", Date.parse("2031-10-26T00:30Z")],
])("reads %s", (text, at) => {
  expect(parseUntil(text, "Europe/Berlin", NOW)).toEqual({ at });
});

it.each([
  ["tomorrow", "write it as 2h"],
  ["", "write it as 2h"],
  ["2", "write it as 2h"],
  ["-2h", "write it as 2h"],
  ["h", "write it as 2h"],
  ["2h3d", "write it as 2h"],
  ["1.5h", "write it as 2h"],
  ["18:00", "in Europe/Berlin such as"],
  ["2031-03-29", "such as 2026-12-24 18:00"],
  ["2031-03-29 18:00Z", "write it as 2h"],
  ["2031-02-30 10:00", "no such date"],
  ["2031-13-01 10:00", "no such date"],
  ["2031-04-01 24:00", "no such date"],
  ["2031-04-01 10:60", "no such date"],
  // The clock is put forward from 2:00 to 3:00.
  ["2031-03-30 02:30", "the clocks in Europe/Berlin skip that time"],
  ["2031-03-29 12:00", "at least a minute from now"],
  ["0h", "at least a minute from now"],
  ["367d", "within a year"],
  ["9999w", "write it as 2h"],
])("refuses '%s' with a reason", (text, reason) => {
  expect(parseUntil(text, "Europe/Berlin", NOW)).toContain(reason);
});
