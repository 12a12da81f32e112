import { app } from "./app.ts";

export { Guild } from "./guild/guild.ts";
export default app;
