/** Pictures that the page serves itself, since the components would fetch Discord's. */

export const AVATAR_KINDS = ["bot", "owner", "admin", "moderator", "player"] as const;
export type AvatarKind = (typeof AVATAR_KINDS)[number];

const COLORS = ["#5865f2", "#3ba55d", "#e8804a", "#c4518f", "#2f9ba8", "#8a63d2"] as const;

/** White shapes on a 48 by 48 field. */
const SHAPES: Record<AvatarKind, string> = {
  // Two arrows around a disk: sync.
  bot: `<path d="M35.5 20.5A12.5 12.5 0 0 0 13.2 17M12.5 27.5A12.5 12.5 0 0 0 34.8 31" fill="none" stroke="#fff" stroke-width="3.6" stroke-linecap="round"/><path d="m11.2 10.6.9 8 7.6-2.7zM36.8 37.4l-.9-8-7.6 2.7z" fill="#fff"/><circle cx="24" cy="24" r="4.6" fill="#fff"/>`,
  // Crown.
  owner: `<path d="m11 17 7 5.5L24 13l6 9.5L37 17l-2.6 15.2H13.6z" fill="#fff"/><rect x="13.6" y="34" width="20.8" height="3" rx="1.5" fill="#fff"/>`,
  // Shield with a check.
  admin: `<path d="M24 10 36 14v9.5c0 7.3-5 12.3-12 15-7-2.7-12-7.7-12-15V14z" fill="#fff"/><path d="m18.5 24 4 4 7.5-8" fill="none" stroke="var(--back)" stroke-width="3.2" stroke-linecap="round" stroke-linejoin="round"/>`,
  // Lifebelt.
  moderator: `<circle cx="24" cy="24" r="10.5" fill="none" stroke="#fff" stroke-width="7"/><path d="m14 14 5 5M34 14l-5 5M14 34l5-5M34 34l-5-5" stroke="var(--back)" stroke-width="3" stroke-linecap="round"/>`,
  // Game controller.
  player: `<path d="M16.5 16h15c5 0 7.5 5.5 8 12.5.3 5-4.5 6.5-7 3L30 28H18l-2.5 3.5c-2.5 3.5-7.3 2-7-3C9 21.5 11.5 16 16.5 16z" fill="#fff"/><path d="M17.5 19.5v5M15 22h5" stroke="var(--back)" stroke-width="2.2" stroke-linecap="round"/><circle cx="29" cy="23.5" r="1.7" fill="var(--back)"/><circle cx="32.5" cy="20.3" r="1.7" fill="var(--back)"/>`,
};

/** All avatars by path. */
export function avatarFiles(): Map<string, string> {
  return new Map(AVATAR_KINDS.flatMap((kind) => COLORS.map((color, index) => [path(kind, index), svg(kind, color)] as const)));
}

/** Path of the avatar of a user: the kind gives the shape, the id the colour. */
export function avatarOf(kind: string, id: string): string {
  const known = AVATAR_KINDS.find((one) => one === kind) ?? "player";
  // The bot always looks the same.
  return path(known, known === "bot" ? 0 : 1 + (sum(id) % (COLORS.length - 1)));
}

function path(kind: AvatarKind, color: number): string {
  return `/avatars/${kind}-${color}.svg`;
}

function svg(kind: AvatarKind, color: string): string {
  const shape = SHAPES[kind].replaceAll("var(--back)", color);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><rect width="48" height="48" fill="${color}"/>${shape}</svg>`;
}

function sum(id: string): number {
  let total = 0;
  for (const char of id) total = (total * 31 + char.charCodeAt(0)) % 9973;
  return total;
}
