import { enrolmentCodeFor, sha256Text } from "../agent-api/tenant.ts";
import { COLOURS, message } from "../discord/message.ts";
import { code, safe, time } from "../discord/text.ts";
import { HOST_NAME_MAX } from "../guild/hosts.ts";
import { isRefusal } from "../refusals.ts";
import { command } from "./command.ts";
import { text } from "./options.ts";

/** `/agent register`: a one-time code with which a game host joins this guild. */
export const agentRegister = command({
  name: "agent register",
  description: "Connect a game host: get a one-time code for it",
  help: "The code works once, within 10 minutes. Run the command that the answer shows on the game host.",
  tier: "owner",
  rate: "act",
  options: { name: text("How to call the host here, such as 'Basement' or 'Hetzner 1'", true, HOST_NAME_MAX) },
  async run({ guild, guildId, ask, env, origin }, { name }) {
    const enrolment = await enrolmentCodeFor(env.TOKEN_SECRET, guildId, ask.key);
    const added = await guild.addEnrolmentCode(ask, { hash: await sha256Text(enrolment), hostName: name });
    if (isRefusal(added)) return added;
    const line = `reconsync enroll ${origin} ${enrolment}`;
    return {
      kind: "message",
      ephemeral: true,
      body: message({
        title: `Connect ${safe(name, HOST_NAME_MAX)}`,
        description: [
          "With the agent installed on the game host, run this there:",
          `\`\`\`sh\n${line}\nreconsync run\n\`\`\``,
          `The code ${code(enrolment)} works once and runs out ${time(added.expiresAt)}. Keep it to yourself: whoever has it can add a host here.`,
        ].join("\n"),
        color: COLOURS.info,
      }),
    };
  },
});
