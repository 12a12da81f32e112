/** The parts of Discord's message format that we use (Discord's documentation, Message and Components resources). */

export interface Embed {
  title?: string;
  description?: string;
  color?: number;
  fields?: { name: string; value: string; inline?: boolean }[];
  footer?: { text: string };
  timestamp?: string;
}

export interface Button {
  type: 2;
  style: 1 | 2 | 3 | 4;
  label: string;
  custom_id: string;
  disabled?: boolean;
}

export interface ActionRow {
  type: 1;
  components: Button[];
}

export interface MessageBody {
  content?: string;
  embeds: Embed[];
  components: ActionRow[];
  /** Always empty: nothing that a player or a host wrote may ping anybody. */
  allowed_mentions: { parse: [] };
}

export const COLOURS = { success: 0x00ff00, info: 0x3498db, warning: 0xffa500, error: 0xff0000 } as const;

/** Discord's limits (Message resource): characters. */
export const LIMITS = { description: 4096, fieldValue: 1024, fieldName: 256, title: 256, footer: 2048, fields: 25 } as const;

export function message(embed: Embed | Embed[], rows: ActionRow[] = []): MessageBody {
  return { content: "", embeds: Array.isArray(embed) ? embed : [embed], components: rows, allowed_mentions: { parse: [] } };
}

export function row(...buttons: Button[]): ActionRow {
  return { type: 1, components: buttons };
}

export function button(style: "primary" | "secondary" | "danger", label: string, customId: string): Button {
  return { type: 2, style: { primary: 1, secondary: 2, danger: 4 }[style] as Button["style"], label, custom_id: customId };
}
