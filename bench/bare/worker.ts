import { verifyKey } from "discord-interactions";
import { Hono } from "hono";

/** The least that can answer Discord: a route that checks the signature and says something. The peer of bench/interactions.ts; never deployed. */

interface Bindings {
  DISCORD_PUBLIC_KEY: string;
}

const app = new Hono<{ Bindings: Bindings }>();

app.post("/interactions", async (c) => {
  const body = new Uint8Array(await c.req.arrayBuffer());
  const signature = c.req.header("x-signature-ed25519") ?? "";
  const timestamp = c.req.header("x-signature-timestamp") ?? "";
  if (!(await verifyKey(body, signature, timestamp, c.env.DISCORD_PUBLIC_KEY))) return c.text("the signature is wrong", 401);
  return c.json({ type: 4, data: { content: "Hello", flags: 64 } });
});

export default app;
/** The config that is shared with the real Worker names this class. */
export class Guild {}
