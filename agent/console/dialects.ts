import type { ConsoleDialect } from "../../schemas/hold.ts";
import type { Dialect } from "./console.ts";
import { openttdAdmin } from "./openttd-admin.ts";
import { sourceRcon } from "./source-rcon.ts";

/** Every dialect by the name that profiles and config.yaml use. A new one is a file beside these, and a name in schemas/hold.ts. */
export const DIALECTS: Record<ConsoleDialect, Dialect> = {
  "source-rcon": sourceRcon("sentinel"),
  "source-rcon-minecraft": sourceRcon("parts"),
  "source-rcon-idle": sourceRcon("idle"),
  "openttd-admin": openttdAdmin,
};
