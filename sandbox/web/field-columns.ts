/** Columns of an embed's field grid. */
const GRID = 12;
const PER_ROW = 3;

/** CSS `grid-column` for each field: inline ones share rows of up to three, as Discord lays them out; the others take a whole row. */
export function fieldColumns(inline: readonly boolean[]): string[] {
  const columns: string[] = [];
  for (let at = 0; at < inline.length; ) {
    let run = 0;
    while (run < PER_ROW && inline[at + run] === true) run += 1;
    const width = GRID / Math.max(run, 1);
    for (let cell = 0; cell < Math.max(run, 1); cell += 1) columns.push(`${1 + cell * width} / ${1 + (cell + 1) * width}`);
    at += Math.max(run, 1);
  }
  return columns;
}
