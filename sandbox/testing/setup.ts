import { type Sandbox, type SandboxOptions, startSandbox } from "../index.ts";
import { type Application, startApplication } from "./application.ts";

/** Commands of the shapes that tests need. */
export const COMMANDS = [
  {
    name: "backup",
    description: "Backups",
    default_member_permissions: "32",
    options: [
      {
        type: 1,
        name: "now",
        description: "Back up one server",
        options: [
          { type: 3, name: "server", description: "Which server", required: true, autocomplete: true },
          { type: 3, name: "note", description: "Shown with the backup", max_length: 20 },
          { type: 4, name: "keep", description: "Days", min_value: 1, max_value: 90 },
        ],
      },
      { type: 1, name: "list", description: "List backups" },
    ],
  },
  {
    name: "settings",
    description: "Settings",
    default_member_permissions: "0",
    options: [
      {
        type: 2,
        name: "alerts",
        description: "Alerts",
        options: [
          {
            type: 1,
            name: "set",
            description: "Set one",
            options: [
              { type: 3, name: "level", description: "Level", required: true, choices: [{ name: "High", value: "high" }] },
              { type: 5, name: "on", description: "On or off" },
              { type: 6, name: "who", description: "Who" },
              { type: 7, name: "where", description: "Where" },
              { type: 8, name: "role", description: "Role" },
            ],
          },
        ],
      },
    ],
  },
  { name: "status", description: "How the servers are" },
  {
    name: "access",
    description: "Who may do what",
    default_member_permissions: "8",
    options: [
      {
        type: 2,
        name: "grant",
        description: "Allow more",
        options: [
          {
            type: 1,
            name: "role",
            description: "To a role",
            options: [
              { type: 8, name: "role", description: "Which role", required: true },
              {
                type: 3,
                name: "tier",
                description: "What it may do",
                required: true,
                choices: [
                  { name: "Use", value: "user" },
                  { name: "Manage", value: "admin" },
                ],
              },
              { type: 4, name: "days", description: "For how long", min_value: 1, max_value: 365 },
              { type: 10, name: "share", description: "Part of the limit", min_value: 0, max_value: 1 },
              { type: 5, name: "quiet", description: "Without a message" },
            ],
          },
          {
            type: 1,
            name: "anybody",
            description: "To a role or a member",
            options: [{ type: 9, name: "who", description: "Who", required: true }],
          },
        ],
      },
      {
        type: 1,
        name: "report",
        description: "Where grants are told",
        options: [
          { type: 7, name: "where", description: "A text channel", required: true, channel_types: [0, 5] },
          { type: 6, name: "about", description: "Of one member only" },
        ],
      },
    ],
  },
];

/** A form as Discord takes it: JSON, and files by their names. */
export function formOf(json: unknown, files: Record<string, string | Blob>): FormData {
  const form = new FormData();
  form.set("payload_json", JSON.stringify(json));
  for (const [index, [name, content]] of Object.entries(files).entries()) {
    form.set(`files[${index}]`, typeof content === "string" ? new Blob([content], { type: "text/csv" }) : content, name);
  }
  return form;
}

export const HERE = { guild: "Reef Raiders", channel: "general", member: "owner" };

export interface Answer<T> {
  status: number;
  body: T;
  headers: Headers;
}

export interface Stage {
  sandbox: Sandbox;
  application: Application;
  guildId: string;
  channelId: string;
  /** A REST call with the bot's token. The body is JSON, text as it stands, or a form. */
  call<T = unknown>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<T>>;
  register(): Promise<void>;
  close(): Promise<void>;
}

/** A sandbox with an application connected to it. */
export async function setStage(options: SandboxOptions = {}): Promise<Stage> {
  const application = await startApplication();
  const sandbox = await startSandbox({ interactionsUrl: application.url, rateLimits: "wide", ...options });
  application.publicKey = sandbox.publicKey;
  const guild = sandbox.guilds[0];
  const call = async <T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> => {
    const response = await fetch(sandbox.apiUrl + path, {
      method,
      headers: {
        Authorization: `Bot ${sandbox.botToken}`,
        ...(body === undefined || body instanceof FormData ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" || body instanceof FormData ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text), headers: response.headers };
  };
  return {
    sandbox,
    application,
    guildId: guild?.id ?? "",
    channelId: guild?.channels[0]?.id ?? "",
    call,
    register: async () => {
      const { status, body } = await call("PUT", `/applications/${sandbox.applicationId}/commands`, COMMANDS);
      if (status !== 200) throw new Error(JSON.stringify(body));
    },
    close: async () => {
      await sandbox.close();
      await application.close();
    },
  };
}
