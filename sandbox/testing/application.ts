import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { verifyKey } from "discord-interactions";

export interface ReceivedOption {
  name: string;
  type: number;
  value?: unknown;
  focused?: boolean;
  options?: ReceivedOption[];
}

/** An interaction that the application got, as far as tests look into it. */
export interface Received {
  id: string;
  token: string;
  type: number;
  guild_id: string;
  app_permissions: string;
  data: {
    id: string;
    options: ReceivedOption[];
    resolved: Record<string, Record<string, unknown>>;
    custom_id?: string;
    values?: string[];
    components?: unknown[];
  };
  member: { permissions: string; roles: string[]; user: { id: string } };
  message?: { id: string; content: string };
}

export interface Reply {
  status?: number;
  contentType?: string;
  /** Sent as JSON unless it is text or a form. */
  body?: unknown;
}

/** A small Discord application over plain HTTP that checks signatures as a real one does. */
export interface Application {
  url: string;
  /** Interactions that came with a good signature, oldest first. */
  received: Received[];
  /** Decides the replies; PINGs are answered before. */
  reply: (interaction: Received) => Reply | Promise<Reply>;
  /** The reply to a PING. */
  pong: Reply;
  /** When false, bad signatures are let through, as in an application that forgot to check. */
  checksSignatures: boolean;
  /** Requests with a bad signature. */
  refused: number;
  publicKey: string;
  close(): Promise<void>;
}

export async function startApplication(): Promise<Application> {
  const application: Application = {
    url: "",
    received: [],
    reply: () => ({ body: { type: 4, data: { content: "done" } } }),
    pong: { body: { type: 1 } },
    checksSignatures: true,
    refused: 0,
    publicKey: "",
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  const server = createServer((request, response) => {
    answer(application, request)
      .then(async ({ status = 200, contentType = "application/json", body }) => {
        const form = body instanceof FormData ? new Response(body) : null;
        response.writeHead(status, { "Content-Type": form?.headers.get("content-type") ?? contentType });
        if (form !== null) response.end(Buffer.from(await form.arrayBuffer()));
        else response.end(typeof body === "string" || body === undefined ? body : JSON.stringify(body));
      })
      .catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  application.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/interactions`;
  return application;
}

async function answer(application: Application, request: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString("utf8");
  const signature = String(request.headers["x-signature-ed25519"] ?? "");
  const timestamp = String(request.headers["x-signature-timestamp"] ?? "");
  const good = await verifyKey(body, signature, timestamp, application.publicKey);
  if (!good) application.refused += 1;
  if (!good && application.checksSignatures) return { status: 401, body: "Bad signature" };
  const interaction: Received = JSON.parse(body);
  application.received.push(interaction);
  return interaction.type === 1 ? application.pong : application.reply(interaction);
}
