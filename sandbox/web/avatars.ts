/** Pictures of the page, drawn here because it must not fetch any from elsewhere. */

const COLORS = ["#5865f2", "#3ba55d", "#c27c0e", "#eb459e", "#1f8b9d", "#8e5bd0", "#d0543a"];
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

export const APPLICATION_AVATAR = "/avatars/application.svg";

/** Path of the picture for a name: its first letter, or a plain dot. */
export function avatarPath(name: string): string {
  const letter = name.trim().charAt(0).toLowerCase();
  return `/avatars/${letter !== "" && LETTERS.includes(letter) ? letter : "other"}.svg`;
}

/** All pictures by their path. */
export function avatarFiles(): Map<string, string> {
  const files = new Map([
    [APPLICATION_AVATAR, svg("#0f766e", APPLICATION_MARK)],
    ["/avatars/other.svg", svg("#747f8d", `<circle cx="40" cy="40" r="12" fill="#fff"/>`)],
  ]);
  for (const [index, letter] of [...LETTERS].entries()) {
    const text = `<text x="40" y="54" font-family="sans-serif" font-size="38" font-weight="600" fill="#fff" text-anchor="middle">${letter.toUpperCase()}</text>`;
    files.set(`/avatars/${letter}.svg`, svg(COLORS[index % COLORS.length] ?? "#5865f2", text));
  }
  return files;
}

/** A stack of discs under a radar arc. */
const APPLICATION_MARK = [
  `<g fill="none" stroke="#fff" stroke-width="4.5" stroke-linecap="round">`,
  `<ellipse cx="40" cy="44" rx="17" ry="6"/>`,
  `<path d="M23 44v9c0 3.3 7.6 6 17 6s17-2.700 17-6v-9"/>`,
  `<path d="M31 31a13 13 0 0 1 18 0"/><path d="M24.500 24a22 22 0 0 1 31 0"/></g>`,
].join("");

function svg(background: string, inner: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 80 80"><rect width="80" height="80" fill="${background}"/>${inner}</svg>`;
}
