import type { Choice, Message, MessageEvent as MessageChange, OptionValue, Outcome, Place, World } from "./types.ts";

/** The sandbox answers within Discord's 3 s for an interaction; this is far beyond. Milliseconds. */
const ANSWER_MAX_MS = 30_000;

export interface ModalSubmit {
  customId: string;
  fields: Record<string, string>;
  message?: string;
}

export async function fetchWorld(): Promise<World> {
  return get("/sandbox/state");
}

export async function fetchMessages({ channel, member }: Place): Promise<Message[]> {
  const { messages } = await get<{ messages: Message[] }>(
    `/sandbox/channels/${encodeURIComponent(channel)}/messages?member=${encodeURIComponent(member)}`,
  );
  return messages;
}

export function sendCommand(place: Place, command: string, options: Record<string, OptionValue>): Promise<Outcome> {
  return post("command", { ...place, command, options });
}

export async function fetchChoices(
  place: Place,
  command: string,
  options: Record<string, OptionValue>,
  focused: string,
  signal: AbortSignal,
): Promise<Choice[]> {
  const { choices, error } = await post<{ choices?: Choice[]; error?: string }>(
    "autocomplete",
    { ...place, command, options, focused },
    signal,
  );
  if (error !== undefined) throw new Error(error);
  return choices ?? [];
}

export function pressComponent(place: Place, message: string, customId: string, values?: string[]): Promise<Outcome> {
  return post("component", { ...place, message, customId, ...(values === undefined ? {} : { values }) });
}

export function submitModal(place: Place, submit: ModalSubmit): Promise<Outcome> {
  return post("modal", { ...place, ...submit });
}

export interface EventHandlers {
  /** The stream is open, for the first time or again. What happened before is unknown. */
  opened(): void;
  lost(): void;
  put(change: MessageChange): void;
  /** A message that was not there before. */
  created(change: MessageChange): void;
  removed(change: MessageChange): void;
  /** Commands, members, roles or direct channels changed. */
  worldChanged(): void;
}

/** Listens to the sandbox. The browser connects again by itself when the stream breaks. */
export function listen(handlers: EventHandlers): EventSource {
  const source = new EventSource("/sandbox/events");
  const on = (name: string, run: (data: string) => void) =>
    source.addEventListener(name, (event) => run((event as MessageEvent<string>).data));
  source.addEventListener("open", () => handlers.opened());
  source.addEventListener("error", () => handlers.lost());
  on("message_create", (data) => handlers.created(JSON.parse(data)));
  on("message_update", (data) => handlers.put(JSON.parse(data)));
  on("message_delete", (data) => handlers.removed(JSON.parse(data)));
  on("commands_update", () => handlers.worldChanged());
  on("world_update", () => handlers.worldChanged());
  return source;
}

async function get<T>(path: string): Promise<T> {
  return answer(await fetch(path, { signal: AbortSignal.timeout(ANSWER_MAX_MS) }));
}

async function post<T>(kind: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const limit = AbortSignal.timeout(ANSWER_MAX_MS);
  const response = await fetch(`/sandbox/interactions/${kind}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
  });
  return answer(response);
}

async function answer<T>(response: Response): Promise<T> {
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  const error = typeof body?.error === "string" ? body.error : `The sandbox answered with status ${response.status}.`;
  throw new Error(error);
}
