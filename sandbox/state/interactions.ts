import { randomBytes } from "node:crypto";
import type { APIModalInteractionResponseCallbackData } from "discord-api-types/v10";
import type { InteractionFailure, RecordedInteraction } from "../types.ts";
import type { Events } from "./events.ts";

/** Oldest interactions fall out beyond this many. */
export const INTERACTIONS_MAX = 1000;

const MODALS_MAX = 200;

/** What the sandbox knows of an interaction that it sent. */
export interface InteractionRecord extends RecordedInteraction {
  guildId: string;
  channelId: string;
  memberId: string;
  memberName: string;
  /** Name of the command or component, to be shown beside the answer. */
  name: string;
  /** The message that carries the component, if there is one. */
  sourceMessage?: string;
  /** `@original` of the token's webhook. */
  originalMessage?: string;
  followUps: string[];
}

export interface OpenModal {
  channelId: string;
  sourceMessage?: string;
  data: APIModalInteractionResponseCallbackData;
}

/** Interactions by id and by token, with the modals that they opened. */
export class Interactions {
  readonly #byId = new Map<string, InteractionRecord>();
  readonly #byToken = new Map<string, InteractionRecord>();
  readonly #modals = new Map<string, OpenModal>();
  readonly #events: Events;

  constructor(events: Events) {
    this.#events = events;
  }

  add(record: InteractionRecord): void {
    this.#byId.set(record.id, record);
    this.#byToken.set(record.token, record);
    const oldest = this.#byId.values().next().value;
    if (this.#byId.size > INTERACTIONS_MAX && oldest !== undefined) {
      this.#byId.delete(oldest.id);
      this.#byToken.delete(oldest.token);
    }
  }

  get(id: string): InteractionRecord | undefined {
    return this.#byId.get(id);
  }

  byToken(token: string): InteractionRecord | undefined {
    return this.#byToken.get(token);
  }

  acknowledge(record: InteractionRecord): void {
    record.state = "acknowledged";
    this.#events.emit("interaction", record);
  }

  fail(record: InteractionRecord, failure: InteractionFailure): void {
    record.state = "failed";
    record.failure = failure;
    this.#events.emit("interaction", record);
  }

  openModal(memberId: string, modal: OpenModal): void {
    const key = modalKey(memberId, modal.channelId, modal.data.custom_id);
    this.#modals.delete(key);
    this.#modals.set(key, modal);
    const oldest = this.#modals.keys().next().value;
    if (this.#modals.size > MODALS_MAX && oldest !== undefined) this.#modals.delete(oldest);
  }

  openedModal(memberId: string, channelId: string, customId: string): OpenModal | undefined {
    return this.#modals.get(modalKey(memberId, channelId, customId));
  }

  closeModal(memberId: string, channelId: string, customId: string): void {
    this.#modals.delete(modalKey(memberId, channelId, customId));
  }

  all(): InteractionRecord[] {
    return [...this.#byId.values()];
  }
}

function modalKey(memberId: string, channelId: string, customId: string): string {
  return `${memberId} ${channelId} ${customId}`;
}

const TOKEN_RANDOM_BYTES = 96;

/** A token of the kind that Discord sends: long, opaque, safe in a path. */
export function interactionToken(id: string): string {
  return Buffer.from(`interaction:${id}:${randomBytes(TOKEN_RANDOM_BYTES).toString("base64")}`).toString("base64url");
}
