/** A run of characters that fonts draw in different widths, or not at all, and that the page therefore paints itself. */
export type Piece =
  | { type: "text"; text: string }
  | { type: "bar"; cells: Cell[]; percent: number }
  | { type: "dot"; char: string; color: string };

export interface Cell {
  char: string;
  /** Slanted (▰), gapless (█) or square (■). */
  shape: "slant" | "block" | "square";
  /** How strongly it is painted, 0 to 1. */
  strength: number;
  /** Filled part of its width, 0 to 1. */
  width: number;
}

/** Fewest characters in a row that count as a bar. */
const BAR_MIN = 3;

const FULL = 1;
const EMPTY = 0.16;
const CELLS: Record<string, Omit<Cell, "char">> = {
  "▰": { shape: "slant", strength: FULL, width: 1 },
  "▱": { shape: "slant", strength: EMPTY, width: 1 },
  "█": { shape: "block", strength: FULL, width: 1 },
  "▓": { shape: "block", strength: 0.7, width: 1 },
  "▒": { shape: "block", strength: 0.4, width: 1 },
  "░": { shape: "block", strength: EMPTY, width: 1 },
  "▉": { shape: "block", strength: FULL, width: 7 / 8 },
  "▊": { shape: "block", strength: FULL, width: 6 / 8 },
  "▋": { shape: "block", strength: FULL, width: 5 / 8 },
  "▌": { shape: "block", strength: FULL, width: 4 / 8 },
  "▍": { shape: "block", strength: FULL, width: 3 / 8 },
  "▎": { shape: "block", strength: FULL, width: 2 / 8 },
  "▏": { shape: "block", strength: FULL, width: 1 / 8 },
  "■": { shape: "square", strength: FULL, width: 1 },
  "□": { shape: "square", strength: EMPTY, width: 1 },
};

/** Colours of the round status emoji. */
const DOTS: Record<string, string> = {
  "🟢": "#78b159",
  "🟡": "#fdcb58",
  "🟠": "#f4900c",
  "🔴": "#dd2e44",
  "🔵": "#55acee",
  "🟣": "#aa8ed6",
  "🟤": "#c1694f",
  "⚪": "#e6e7e8",
  "⚫": "#31373d",
};

const PAINTED = new RegExp(`([${Object.keys(CELLS).join("")}]{${BAR_MIN},})|([${Object.keys(DOTS).join("")}])\\ufe0f?`, "gu");

/** Splits text into what a font may draw and what the page paints. */
export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(PAINTED)) {
    if (match.index > at) out.push({ type: "text", text: text.slice(at, match.index) });
    out.push(match[1] === undefined ? dot(match[2] ?? "") : bar(match[1]));
    at = match.index + match[0].length;
  }
  if (at < text.length) out.push({ type: "text", text: text.slice(at) });
  return out;
}

function bar(run: string): Piece {
  const cells = [...run].flatMap((char) => (CELLS[char] === undefined ? [] : [{ char, ...CELLS[char] }]));
  const filled = cells.reduce((sum, cell) => sum + (cell.strength === FULL ? cell.width : 0), 0);
  return { type: "bar", cells, percent: Math.round((filled / cells.length) * 100) };
}

function dot(char: string): Piece {
  return { type: "dot", char, color: DOTS[char] ?? "currentColor" };
}
