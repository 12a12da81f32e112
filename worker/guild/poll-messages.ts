import * as z from "zod/mini";
import type { PollResponse } from "../../schemas/index.ts";
import { pollRequest, pollResponse } from "../../schemas/index.ts";
import type { RefusalCode } from "../refusals.ts";

/** What the Worker and the guild object say to each other over the inner WebSocket while a poll is held. */

export const toGuild = z.discriminatedUnion("type", [
  z.object({ type: z.literal("poll"), request: pollRequest }),
  /** After `ready`: give me what there is. */
  z.object({ type: z.literal("claim"), running: pollRequest.shape.running, room: pollRequest.shape.room }),
]);
export type ToGuild = z.infer<typeof toGuild>;

export const toWorker = z.discriminatedUnion("type", [
  z.object({ type: z.literal("answer"), response: pollResponse }),
  /** Something is there: claim it, if the agent still waits. */
  z.object({ type: z.literal("ready") }),
  /** The same host polls anew: this poll has no one behind it any more. */
  z.object({ type: z.literal("superseded") }),
  z.object({
    type: z.literal("refused"),
    refused: z.custom<RefusalCode>((code) => typeof code === "string"),
    params: z.optional(z.record(z.string(), z.string())),
  }),
]);
export type ToWorker = z.infer<typeof toWorker>;

/** Whether an answer gives the agent nothing to do, so that its poll can go on. */
export function isEmpty({ jobs, cancel, problems, retention }: PollResponse): boolean {
  return jobs.length === 0 && cancel.length === 0 && problems.length === 0 && retention === undefined;
}

/** Header in which the Worker names the host whose token it has checked. */
export const HOST_HEADER = "x-reconsync-host";
/** And the one for the address that it calls from; empty when that is not known. */
export const ADDRESS_HEADER = "x-reconsync-address";
