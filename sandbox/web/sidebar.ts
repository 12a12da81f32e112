import type { PageGuild } from "./api.ts";
import { avatarPath } from "./avatars.ts";
import { h } from "./dom.ts";
import { type Here, inGuild } from "./place.ts";

type Go = (here: Here) => void;

/** The round guild buttons at the left edge. */
export function guildRail(guilds: readonly PageGuild[], here: Here, go: Go): HTMLElement {
  const buttons = guilds.map((guild) => {
    const current = guild.id === here.guild.id;
    const attributes = {
      type: "button",
      class: "guild",
      title: guild.name,
      "aria-label": guild.name,
      "data-testid": "guild-item",
      "data-guild-id": guild.id,
      "aria-current": current ? "true" : null,
    };
    const button = h("button", attributes, initials(guild.name));
    button.addEventListener("click", () => {
      const next = inGuild(guild, here);
      if (next !== null && !current) go(next);
    });
    return button;
  });
  return h("nav", { class: "rail", "aria-label": "Servers" }, ...buttons);
}

/** Guild name, channels, and the user panel with the member switch. */
export function channelList(here: Here, go: Go): HTMLElement {
  const items = here.guild.channels.map((channel) => {
    const attributes = {
      type: "button",
      class: "channel",
      "data-testid": "channel-item",
      "data-channel-id": channel.id,
      "aria-current": channel.id === here.channel.id ? "page" : null,
    };
    const button = h("button", attributes, hash(), h("span", {}, channel.name));
    button.addEventListener("click", () => go({ ...here, channel }));
    return h("li", {}, button);
  });
  return h(
    "aside",
    { class: "sidebar" },
    h("header", { class: "guild-name" }, here.guild.name),
    h("nav", { class: "channels", "aria-label": "Channels" }, h("div", { class: "category" }, "Text channels"), h("ul", {}, ...items)),
    userPanel(here, go),
  );
}

function userPanel(here: Here, go: Go): HTMLElement {
  const options = here.guild.members.map((member) => {
    const selected = member.id === here.member.id ? "" : null;
    return h("option", { value: member.id, "data-label": member.label, selected }, `${member.name} · ${member.label}`);
  });
  const select = h("select", { "data-testid": "member-switch", "aria-label": "Act as", title: "Act as another member" }, ...options);
  select.addEventListener("change", () => {
    const member = here.guild.members.find((one) => one.id === select.value);
    if (member !== undefined) go({ ...here, member });
  });
  return h(
    "section",
    { class: "user-panel", "aria-label": "You" },
    h("span", { class: "user-avatar" }, h("img", { src: avatarPath(here.member.name), alt: "" }), h("i", { class: "online" })),
    h("label", { class: "user-words" }, select, h("small", { class: `rank rank-${here.member.label}` }, `acts as ${here.member.label}`)),
  );
}

function hash(): HTMLElement {
  return h("span", { class: "hash", "aria-hidden": "true" }, "#");
}

function initials(name: string): string {
  const words = name.split(/\s+/u).filter((word) => word !== "");
  return words
    .slice(0, 3)
    .map((word) => word.charAt(0).toUpperCase())
    .join("");
}
