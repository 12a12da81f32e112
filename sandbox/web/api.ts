import type { APIApplicationCommand, APIModalInteractionResponseCallbackData } from "discord-api-types/v10";
import type { Choice, MemberLabel, OptionValues, SandboxMessage } from "../types.ts";

export interface PageMember {
  id: string;
  name: string;
  label: MemberLabel;
  permissions: string;
  color: string;
}

export interface PageGuild {
  id: string;
  name: string;
  channels: { id: string; name: string }[];
  members: PageMember[];
}

/** What `GET /sandbox/state` answers. */
export interface PageState {
  application: { id: string; name: string };
  bot: { id: string; name: string };
  guilds: PageGuild[];
  /** By the guild's id. */
  commands: Record<string, APIApplicationCommand[]>;
}

/** Ids of where one is and as whom. */
export interface PagePlace {
  guild: string;
  channel: string;
  member: string;
}

export interface Outcome {
  ok: boolean;
  error?: string;
  /** Set when the interaction was not even sent. */
  code?: string;
  modal?: APIModalInteractionResponseCallbackData;
}

export interface PageEvents {
  message: (message: SandboxMessage) => void;
  deleted: (message: SandboxMessage) => void;
  commands: () => void;
  /** The stream is open again after it was lost: anything may have changed. */
  reconnected: () => void;
}

export function fetchState(): Promise<PageState> {
  return get<PageState>("/sandbox/state");
}

export async function fetchMessages(channel: string, member: string): Promise<SandboxMessage[]> {
  const { messages } = await get<{ messages: SandboxMessage[] }>(`/sandbox/channels/${channel}/messages?member=${member}`);
  return messages;
}

export function sendCommand(place: PagePlace, command: string, options: OptionValues): Promise<Outcome> {
  return post<Outcome>("command", { ...place, command, options });
}

export function fetchChoices(place: PagePlace, command: string, options: OptionValues, focused: string) {
  return post<{ choices: Choice[]; error?: string }>("autocomplete", { ...place, command, options, focused });
}

export function pressComponent(place: PagePlace, message: string, customId: string, values?: string[]): Promise<Outcome> {
  return post<Outcome>("component", { ...place, message, customId, ...(values === undefined ? {} : { values }) });
}

export function submitModal(place: PagePlace, customId: string, fields: Record<string, string>): Promise<Outcome> {
  return post<Outcome>("modal", { ...place, customId, fields });
}

/** Live changes. The browser opens the stream again by itself when it is lost. */
export function listen(on: PageEvents): void {
  const source = new EventSource("/sandbox/events");
  let opened = false;
  const message = (event: MessageEvent<string>) => (JSON.parse(event.data) as { message: SandboxMessage }).message;
  source.addEventListener("open", () => {
    if (opened) on.reconnected();
    opened = true;
  });
  source.addEventListener("message_create", (event) => on.message(message(event)));
  source.addEventListener("message_update", (event) => on.message(message(event)));
  source.addEventListener("message_delete", (event) => on.deleted(message(event)));
  source.addEventListener("commands_update", () => on.commands());
}

async function get<T>(path: string): Promise<T> {
  return answer<T>(await fetch(path));
}

async function post<T>(action: string, body: unknown): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  return answer<T>(await fetch(`/sandbox/interactions/${action}`, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function answer<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`The sandbox answered ${response.status}: ${(await response.text()).slice(0, 300)}`);
  return (await response.json()) as T;
}
