import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { describeChanges, registerCommands } from "./register-commands.ts";

/** `npm run register [-- --guild ID]`: tells Discord the slash commands. */
const { values } = parseArgs({ options: { guild: { type: "string" } } });
if (existsSync(".env")) process.loadEnvFile(".env");
const {
  DISCORD_APPLICATION_ID: applicationId,
  DISCORD_BOT_TOKEN: botToken,
  DISCORD_API_URL: apiUrl = "https://discord.com/api/v10",
} = process.env;

if (applicationId === undefined || botToken === undefined || applicationId === "" || botToken === "") {
  console.error("Set DISCORD_APPLICATION_ID and DISCORD_BOT_TOKEN, in the environment or in .env (see .env.example).");
  process.exitCode = 78;
} else {
  try {
    const changes = await registerCommands({
      apiUrl,
      applicationId,
      botToken,
      ...(values.guild === undefined ? {} : { guild: values.guild }),
    });
    console.log(`${values.guild === undefined ? "Everywhere" : `In guild ${values.guild}`}: ${describeChanges(changes)}`);
  } catch (error) {
    console.error(`The commands were not registered. ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
