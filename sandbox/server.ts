import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { FORM_BYTES_MAX, isForm } from "./check/uploads.ts";
import type { PageApi } from "./page-api.ts";
import type { Api } from "./rest/api.ts";
import { FILES_PREFIX, type Files } from "./state/files.ts";

export const API_PREFIX = "/api/v10";

/** Largest request body without files. Nothing that Discord takes as JSON comes near. */
export const BODY_BYTES_MAX = 1024 * 1024;

/** Static files of the page by their path. */
export type PageFiles = Map<string, { type: string; body: string | Uint8Array }>;

export interface ServerParts {
  api: Api;
  page: PageApi;
  /** Attachments of messages. */
  files: Files;
  pageFiles: () => Promise<PageFiles>;
}

class TooLarge extends Error {}

/** Listens on the loopback address only. */
export async function listen(port: number, host: string, parts: ServerParts): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    serve(request, response, parts).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendText(response, 500, error instanceof Error ? error.message : String(error));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return { server, port: (server.address() as AddressInfo).port };
}

async function serve(request: IncomingMessage, response: ServerResponse, parts: ServerParts): Promise<void> {
  const { host } = request.headers;
  // A name that resolves to the loopback address must not turn somebody's browser into a door to this server.
  if (host === undefined || !ownHosts(request).includes(host)) return sendText(response, 421, "This host name is not served here.");
  const url = parseAddress(`http://${host}${request.url ?? "/"}`);
  if (url === null) return sendText(response, 400, "This address cannot be read.");
  const method = request.method ?? "GET";
  try {
    if (url.pathname.startsWith(`${API_PREFIX}/`)) return await serveApi(request, response, url, method, parts.api);
    if (url.pathname.startsWith("/sandbox/")) return await servePage(request, response, url, method, parts.page);
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    return sendJson(response, 413, { message: "Request entity too large", code: 40005 });
  }
  if (method !== "GET" && method !== "HEAD") return sendText(response, 405, "Only GET is answered here.");
  if (url.pathname.startsWith(FILES_PREFIX)) return serveFile(response, url, method, parts.files);
  const file = (await parts.pageFiles()).get(url.pathname);
  if (file === undefined) return sendText(response, 404, "There is no such page.");
  response.writeHead(200, { "Content-Type": file.type, "Cache-Control": "no-cache" }).end(method === "HEAD" ? undefined : file.body);
}

interface Address {
  pathname: string;
  searchParams: URLSearchParams;
  origin: string;
}

/** The address with its path decoded, as clients may write `@original` as `%40original`. */
function parseAddress(address: string): Address | null {
  try {
    const { pathname, searchParams, origin } = new URL(address);
    return { pathname: pathname.split("/").map(decodeURIComponent).join("/"), searchParams, origin };
  } catch {
    return null;
  }
}

function ownHosts(request: IncomingMessage): string[] {
  const { localPort } = request.socket;
  return [`127.0.0.1:${localPort}`, `localhost:${localPort}`];
}

async function serveApi(request: IncomingMessage, response: ServerResponse, url: Address, method: string, api: Api): Promise<void> {
  const { headers } = request;
  const answer = await api.handle({
    method,
    path: url.pathname.slice(API_PREFIX.length),
    query: url.searchParams,
    headers: { authorization: headers.authorization, contentType: headers["content-type"], userAgent: headers["user-agent"] },
    body: await readBody(request, isForm(headers["content-type"]) ? FORM_BYTES_MAX : BODY_BYTES_MAX),
  });
  if (answer.drop) {
    request.socket.destroy();
    return;
  }
  sendJson(response, answer.status, answer.body, answer.headers);
}

/** As a download only: what an application sends must not run as a page of the sandbox. */
function serveFile(response: ServerResponse, url: Address, method: string, files: Files): void {
  const file = files.at(url.pathname);
  if (file === undefined) {
    sendText(response, 404, "This content is no longer available.");
    return;
  }
  const headers = {
    "Content-Type": file.contentType,
    "Content-Length": file.bytes.length,
    "Content-Disposition": `attachment; filename="${file.filename}"`,
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
  };
  response.writeHead(200, headers).end(method === "HEAD" ? undefined : file.bytes);
}

async function servePage(request: IncomingMessage, response: ServerResponse, url: Address, method: string, page: PageApi): Promise<void> {
  if (method === "GET" && url.pathname === "/sandbox/events") return page.stream(response);
  let body: unknown;
  if (method === "POST") {
    const { origin } = request.headers;
    if (origin !== undefined && origin !== url.origin) return sendJson(response, 403, { error: "Other sites may not call this." });
    if (request.headers["content-type"]?.startsWith("application/json") !== true) return sendJson(response, 415, { error: "Send JSON." });
    const text = await readBody(request, BODY_BYTES_MAX);
    try {
      body = JSON.parse(text.toString("utf8"));
    } catch {
      return sendJson(response, 400, { error: "The body is not JSON." });
    }
  }
  const answer = await page.handle(method, url.pathname, url.searchParams, body);
  sendJson(response, answer.status, answer.body);
}

async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bytesMax) throw new TooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  if (body === undefined) {
    response.writeHead(status, headers).end();
    return;
  }
  response.writeHead(status, { ...headers, "Content-Type": "application/json" }).end(JSON.stringify(body));
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" }).end(text);
}
