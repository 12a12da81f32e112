import type { Traceparent } from "../../schemas/index.ts";
import type { CommandRight, Member } from "./access-rules.ts";
import type { MessageOrigin } from "./messages.ts";
import type { RateClass } from "./rate-rules.ts";

/** What a member wants, as Discord's signed interaction says. The guild object decides by it before it does anything. */
export interface Ask extends MessageOrigin {
  /** The interaction's id: the same one delivered twice acts once. */
  key: string;
  /** Id of the guild. */
  guild: string;
  member: Member;
  command: CommandRight & { rate: RateClass };
  trace: Traceparent;
}
