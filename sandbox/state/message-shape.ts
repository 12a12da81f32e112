import { type APIEmbed, type APIMessageTopLevelComponent, ComponentType } from "discord-api-types/v10";
import { walk } from "../check/components.ts";
import { isRecord, records, text } from "../check/form.ts";

/** The words of a message that can ping somebody: its content and its text displays. Embeds never ping. */
export function pingableText(content: string, components: readonly unknown[]): string {
  const displays = walk(records(components)).filter((one) => one.type === ComponentType.TextDisplay);
  return [content, ...displays.map((one) => text(one.content))].join("\n");
}

/** Embeds as Discord answers them: without nulls, of type `rich`. The body has passed the checks before. */
export function shapeEmbeds(embeds: unknown): APIEmbed[] {
  return records(embeds).map((embed) => ({ ...(withoutNulls(embed) as APIEmbed), type: "rich" as APIEmbed["type"] }));
}

/** Components as Discord answers them: without nulls, each with an `id`, buttons and menus with their defaults. */
export function shapeComponents(components: unknown): APIMessageTopLevelComponent[] {
  const shaped = withoutNulls(records(components)) as Record<string, unknown>[];
  const all = walk(shaped);
  const taken = new Set(all.map((one) => one.id));
  let next = 1;
  for (const component of all) {
    if (typeof component.id === "number" && component.id !== 0) continue;
    while (taken.has(next)) next += 1;
    component.id = next;
    taken.add(next);
  }
  return shaped as unknown as APIMessageTopLevelComponent[];
}

/** A deep copy without the fields that are null. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutNulls(inner)]));
}
