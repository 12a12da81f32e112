import { avatarOf } from "./avatars.ts";
import { h, ICONS, icon } from "./dom.ts";
import { PLAIN_MEMBER, permissionWords } from "./permissions.ts";
import { face, keep, labelWords } from "./sidebar.ts";
import type { Store } from "./store.ts";
import type { Guild, Member } from "./types.ts";

/** The panel at the bottom left: as whom the page acts. A native menu lies over it, so that keyboards and screen readers can switch as well. */
export function memberSwitch(store: Store, go: (hash: string) => void): HTMLElement {
  const shown = h("div", { class: "user", "aria-hidden": "true" });
  const select = h("select", { class: "user-select", "data-testid": "member-switch", "aria-label": "Act as" });
  select.addEventListener("change", () => go(store.hashFor({ member: select.value })));
  keep(store, () => {
    const { member, guild } = store;
    shown.replaceChildren(
      face(avatarOf(member.label, member.id)),
      h(
        "span",
        { class: "user-words" },
        h("span", { class: "user-name" }, member.name),
        h("span", { class: "user-rights" }, rights(member, guild)),
      ),
      icon(ICONS.down, 16),
    );
    select.replaceChildren(...guild.members.map((one) => h("option", { value: one.id }, `${one.name} (${rights(one, guild)})`)));
    select.value = member.id;
  });
  return h("div", { class: "user-panel" }, shown, select);
}

/** What a member is, and by which right: the strongest permission, or else the roles. */
function rights(member: Member, { roles }: Guild): string {
  const words = permissionWords(member.permissions);
  const names = roles.filter((role) => member.roles.includes(role.id)).map((role) => role.name);
  return `${labelWords(member)} · ${words === PLAIN_MEMBER && names.length > 0 ? names.join(", ") : words}`;
}
