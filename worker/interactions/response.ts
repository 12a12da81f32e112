import type { Reply } from "../commands/command.ts";
import { COLOURS, message } from "../discord/message.ts";
import { safe } from "../discord/text.ts";
import type { Choice } from "../guild/views.ts";
import { isRefusal, wordsOf } from "../refusals.ts";

/** Interaction response types and flags (Discord's documentation, Receiving and Responding). */
const RESPONSE = { message: 4, deferred: 5, update: 7, autocomplete: 8, modal: 9 } as const;
const EPHEMERAL = 1 << 6;

/** A reply as Discord takes it. */
export function render(reply: Reply): Response {
  return Response.json(bodyOf(reply));
}

/** Says that the message comes later: see files.ts. */
export function deferred(ephemeral: boolean): Response {
  return Response.json({ type: RESPONSE.deferred, data: ephemeral ? { flags: EPHEMERAL } : {} });
}

function bodyOf(reply: Reply): object {
  if (isRefusal(reply)) {
    const embed = { description: wordsOf(reply, (text) => safe(text)), color: COLOURS.error, footer: { text: reply.refused } };
    return { type: RESPONSE.message, data: { ...message(embed), flags: EPHEMERAL } };
  }
  switch (reply.kind) {
    case "message":
      return { type: RESPONSE.message, data: reply.ephemeral === true ? { ...reply.body, flags: EPHEMERAL } : reply.body };
    case "update":
      return { type: RESPONSE.update, data: reply.body };
    case "form":
      return {
        type: RESPONSE.modal,
        data: {
          custom_id: reply.id,
          title: reply.title,
          components: reply.fields.map((field) => ({
            type: 1,
            components: [
              {
                type: 4,
                style: 1,
                custom_id: field.id,
                label: field.label,
                required: true,
                ...(field.placeholder === undefined ? {} : { placeholder: field.placeholder }),
                ...(field.min === undefined ? {} : { min_length: field.min }),
                ...(field.max === undefined ? {} : { max_length: field.max }),
              },
            ],
          })),
        },
      };
  }
}

export function choices(found: Choice[]): Response {
  return Response.json({ type: RESPONSE.autocomplete, data: { choices: found } });
}
