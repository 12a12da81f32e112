/** One line of the result. */
export interface Row {
  /** What was measured, with the measurement's name first: `dispatch: interaction to job in hand, p50`. */
  name: string;
  /** Null when it was skipped or has no meaning here; the name or the unit says why. */
  ours: number | null;
  /** What it is compared with: another program, a bare round trip, or a limit. Null when there is nothing. */
  peer: number | null;
  /** `ours / peer`. */
  ratio: number | null;
  unit: string;
  /** Set when the value breaks a promise of the project: the run then ends with an error. */
  problem?: string;
}

/** Digits that are kept: more would be noise. */
const DIGITS = 4;

/** A row, rounded, with its ratio. */
export function row(name: string, ours: number | null, peer: number | null, unit: string, problem?: string): Row {
  const ratio = ours === null || peer === null || peer === 0 ? null : round(ours / peer);
  const values = { name, ours: ours === null ? null : round(ours), peer: peer === null ? null : round(peer), ratio, unit };
  return problem === undefined ? values : { ...values, problem };
}

function round(value: number): number {
  return Number(value.toPrecision(DIGITS));
}

/** The rows as one JSON object a line, with exactly the five fields that other programs read. */
export function jsonLines(rows: readonly Row[]): string {
  return rows.map(({ name, ours, peer, ratio, unit }) => JSON.stringify({ name, ours, peer, ratio, unit })).join("\n");
}

/** The rows as aligned columns. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((one) => [one.name, number(one.ours), number(one.peer), number(one.ratio), one.unit]);
  const all = [["name", "ours", "peer", "ratio", "unit"], ...cells];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((line) => line[column]?.length ?? 0)));
  const lines = all.map((line) => line.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join("  "));
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [lines[0], rule, ...lines.slice(1)].map((line) => line?.trimEnd()).join("\n");
}

function pad(cell: string, width: number, column: number): string {
  return column >= 1 && column <= 3 ? cell.padStart(width) : cell.padEnd(width);
}

function number(value: number | null): string {
  if (value === null) return "-";
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en-US") : String(value);
}
