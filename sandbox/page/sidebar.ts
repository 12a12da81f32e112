import { avatarOf } from "./avatars.ts";
import { type Child, h, ICONS, icon, replaceKeepingFocus } from "./dom.ts";
import { acronym } from "./message-rules.ts";
import type { Store } from "./store.ts";
import type { Guild, Member, Named } from "./types.ts";

/** The guilds at the left edge. */
export function guildRail(store: Store): HTMLElement {
  const rail = h("nav", { class: "rail", "aria-label": "Servers" });
  keep(store, () => replaceKeepingFocus(rail, [...store.world.guilds.map((guild) => guildLink(store, guild))]));
  return rail;
}

function guildLink(store: Store, guild: Guild): HTMLElement {
  const chosen = guild.id === store.place.guild;
  return h(
    "a",
    {
      class: "rail-guild",
      href: store.hashFor({ guild: guild.id, channel: "" }),
      "data-testid": "guild-item",
      "data-guild-id": guild.id,
      "data-key": guild.id,
      "aria-current": chosen ? "page" : undefined,
      "aria-label": guild.name,
      title: guild.name,
    },
    h("span", { class: "rail-pill" }),
    h("span", { class: "rail-icon" }, acronym(guild.name)),
  );
}

/** Name and channels of the guild. */
export function channelList(store: Store): HTMLElement {
  const heading = h("h2", { class: "guild-name" });
  const list = h("nav", { class: "channels", "aria-label": "Channels" });
  keep(store, () => {
    heading.textContent = store.guild.name;
    const { direct, textChannels } = store;
    const directs = direct === undefined ? [] : [category("Direct messages"), directLink(store, direct)];
    replaceKeepingFocus(list, [category("Text channels"), ...textChannels.map((channel) => channelLink(store, channel)), ...directs]);
  });
  return h("div", { class: "sidebar-main" }, h("header", { class: "guild-header" }, heading), list);
}

function category(title: string): HTMLElement {
  return h("div", { class: "channel-category" }, icon(ICONS.down, 12), title);
}

function channelLink(store: Store, channel: Named): HTMLElement {
  return placeLink(store, channel, "channel-item", [icon(ICONS.hash, 20), h("span", {}, channel.name)]);
}

function directLink(store: Store, direct: Named): HTMLElement {
  return placeLink(store, direct, "direct-item", [
    face(avatarOf("bot", store.world.bot.id)),
    h("span", {}, direct.name),
    h("span", { class: "app-tag" }, "App"),
  ]);
}

function placeLink(store: Store, { id }: Named, testId: string, children: Child[]): HTMLElement {
  const unread = store.unread.has(id);
  return h(
    "a",
    {
      class: unread ? "channel channel-unread" : "channel",
      href: store.hashFor({ channel: id }),
      "data-testid": testId,
      "data-channel-id": id,
      "data-key": id,
      "aria-current": id === store.place.channel ? "page" : undefined,
    },
    ...children,
    unread ? h("span", { class: "visually-hidden" }, "unread messages") : null,
  );
}

/** The line above the messages. */
export function channelHeader(store: Store, toggleMembers: () => boolean): HTMLElement {
  const sign = h("span", { class: "channel-sign" });
  const name = h("h1", { class: "channel-name", "data-testid": "channel-name" });
  const people = h(
    "button",
    { type: "button", class: "header-button", "aria-label": "Member list", "aria-pressed": "true" },
    icon(ICONS.people),
  );
  people.addEventListener("click", () => people.setAttribute("aria-pressed", String(toggleMembers())));
  const live = h("span", { class: "live", "data-testid": "connection", role: "status" });
  keep(store, () => {
    name.textContent = store.channel.name;
    sign.replaceChildren(store.isDirect ? face(avatarOf("bot", store.world.bot.id)) : icon(ICONS.hash));
  });
  return h("header", { class: "channel-header" }, sign, name, h("span", { class: "sandbox-tag" }, "Sandbox"), live, people);
}

/** Everybody in the guild, at the right. */
export function memberList(store: Store): HTMLElement {
  const list = h("aside", { class: "members", "aria-label": "Members" });
  keep(store, () => {
    const { bot, guilds: _, application: __ } = store.world;
    const groups = GROUPS.map(([label, title]) => [title, store.guild.members.filter((member) => member.label === label)] as const);
    const rest = store.guild.members.filter((member) => !GROUPS.some(([label]) => label === member.label));
    const people = [...groups, ["Others", rest] as const].filter(([, members]) => members.length > 0);
    list.replaceChildren(
      ...people.flatMap(([title, members]) => [
        groupTitle(title, members.length),
        ...members.map((member) => personLine(member.name, avatarOf(member.label, member.id), member.color)),
      ]),
      groupTitle("Apps", 1),
      personLine(bot.name, avatarOf("bot", bot.id), undefined, h("span", { class: "app-tag" }, "App")),
    );
  });
  return list;
}

const GROUPS = [
  ["owner", "Owner"],
  ["admin", "Admin"],
  ["moderator", "Moderator"],
  ["player", "Player"],
] as const;

function groupTitle(title: string, count: number): HTMLElement {
  return h("h3", { class: "members-title" }, `${title} — ${count}`);
}

function personLine(name: string, avatar: string, color?: string, tag?: HTMLElement): HTMLElement {
  const words = h("span", { class: "person-name" }, name);
  if (color !== undefined) words.style.color = color;
  return h("div", { class: "person" }, face(avatar), words, tag);
}

/** A round picture with the dot of who is online. */
export function face(avatar: string): HTMLElement {
  return h("span", { class: "face" }, h("img", { src: avatar, alt: "" }), h("span", { class: "face-online" }));
}

/** Runs at once and whenever place or world change. */
export function keep(store: Store, show: () => void): void {
  store.on("place", show);
  store.on("world", show);
  show();
}

export function labelWords(member: Member): string {
  return member.label.charAt(0).toUpperCase() + member.label.slice(1);
}
