import { homedir, userInfo } from "node:os";
import { AgentError, EXIT } from "../../../errors.ts";
import type { DropboxCredentials } from "./dropbox/calls.ts";
import type { HttpOptions } from "./http/client.ts";
import { LocalStore } from "./local.ts";
import type { Pace } from "./pace.ts";
import { parsePlace } from "./place.ts";
import { RestStore } from "./rest.ts";
import type { S3Credentials } from "./s3.ts";
import type { RepositoryStore } from "./store.ts";
import { ThrottledStore } from "./throttled.ts";

export interface OpenStoreOptions {
  /** Credentials are read from where restic reads them: `AWS_ACCESS_KEY_ID`, `RESTIC_REST_USERNAME` and so on. */
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  /** The `Authorization` header of a REST server, in place of a user and a password. `again`: the last one was not taken. */
  authorization?: (again: boolean) => Promise<string>;
  /** Bandwidth of what is sent and of what comes; share one between stores that share a line. */
  upload?: Pace;
  download?: Pace;
  /** Told of each request that failed and will be repeated. */
  onRetry?: HttpOptions["onRetry"];
}

/**
 * Opens the store at a place. Nothing is looked for there yet. What speaks to it is loaded only now: the clients of all places are a megabyte.
 * @throws AgentError `store-url`, `store-credentials-missing`
 */
export async function openStore(text: string, options: OpenStoreOptions): Promise<RepositoryStore> {
  const place = parsePlace(text);
  const { env, authorization, upload, download, onRetry } = options;
  switch (place.kind) {
    case "rest":
      return new RestStore(restAddress(place.address, env), { authorization, upload, download, onRetry });
    case "s3":
      return new (await import("./s3.ts")).S3Store(place, { ...s3Options(env), upload, download, onRetry });
    case "dropbox": {
      const credentials = dropboxCredentials(env);
      return new (await import("./dropbox.ts")).DropboxStore(place.folder, { credentials, upload, download, onRetry });
    }
    case "sftp": {
      const [{ loginFor }, { SftpStore }] = await Promise.all([import("./sftp/login.ts"), import("./sftp.ts")]);
      const login = await loginFor(place, { env, home: homedir(), username: userInfo().username });
      const store = new SftpStore(login, place.folder, { onRetry });
      return upload === undefined && download === undefined ? store : new ThrottledStore(store, { upload, download });
    }
    case "local": {
      const store = new LocalStore(place.folder);
      return upload === undefined && download === undefined ? store : new ThrottledStore(store, { upload, download });
    }
  }
}

/** What the address itself says goes before the environment. */
function restAddress(address: string, env: NodeJS.ProcessEnv): string {
  const url = new URL(address);
  if (url.username === "" && url.password === "") {
    url.username = encodeURIComponent(env.RESTIC_REST_USERNAME ?? "");
    url.password = encodeURIComponent(env.RESTIC_REST_PASSWORD ?? "");
  }
  return url.href;
}

function s3Options(env: NodeJS.ProcessEnv): { credentials: S3Credentials; region?: string } {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = env;
  if (!accessKeyId || !secretAccessKey) {
    throw new AgentError("store-credentials-missing", "An S3 service needs keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", {
      exitCode: EXIT.usage,
    });
  }
  // An empty variable is none.
  const region = env.AWS_DEFAULT_REGION || env.AWS_REGION || undefined;
  return { credentials: { accessKeyId, secretAccessKey, sessionToken: sessionToken || undefined }, region };
}

function dropboxCredentials(env: NodeJS.ProcessEnv): DropboxCredentials {
  const {
    DROPBOX_REFRESH_TOKEN: refreshToken,
    DROPBOX_APP_KEY: appKey,
    DROPBOX_APP_SECRET: appSecret,
    DROPBOX_ACCESS_TOKEN: accessToken,
  } = env;
  if (refreshToken && appKey) return { refreshToken, appKey, appSecret: appSecret || undefined };
  if (accessToken) return { accessToken };
  const text =
    "Dropbox needs a token: set DROPBOX_REFRESH_TOKEN and DROPBOX_APP_KEY (and DROPBOX_APP_SECRET, unless the grant was made by PKCE), or DROPBOX_ACCESS_TOKEN.";
  throw new AgentError("store-credentials-missing", text, { exitCode: EXIT.usage });
}
