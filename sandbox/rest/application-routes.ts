import { ApplicationFormPartialSchema } from "discord-api-spec/zod";
import { checkCommands } from "../check/commands.ts";
import { Form, isRecord } from "../check/form.ts";
import { checkSpec } from "../check/spec.ts";
import type { CommandScope } from "../state/commands.ts";
import { userOf, type World } from "../state/world.ts";
import { refusals, requireForm } from "./rest-error.ts";
import { ok, type RestRequest, type Route } from "./route.ts";

function scopeOf({ world, params }: RestRequest): CommandScope {
  if (params.application !== world.applicationId) throw refusals.unknownApplication();
  if (params.guild === undefined) return null;
  if (!world.guilds.some((guild) => guild.id === params.guild)) throw refusals.missingAccess();
  return params.guild;
}

function listCommands(request: RestRequest) {
  return ok(request.world.commands.list(scopeOf(request)));
}

function overwriteCommands(request: RestRequest) {
  const scope = scopeOf(request);
  requireForm(checkCommands(request.body));
  return ok(request.world.commands.replace(scope, Array.isArray(request.body) ? request.body : []));
}

function application(world: World) {
  const owner = world.guilds[0]?.members.find((member) => member.id === world.guilds[0]?.ownerId);
  return {
    id: world.applicationId,
    name: world.applicationName,
    icon: null,
    description: "",
    bot_public: true,
    bot_require_code_grant: false,
    verify_key: world.key.publicKey,
    flags: 0,
    flags_new: "0",
    type: null,
    bot: world.bot,
    owner: owner === undefined ? world.bot : userOf(owner),
    team: null,
    redirect_uris: [],
    interactions_endpoint_url: world.interactionsUrl,
    role_connections_verification_url: null,
    explicit_content_filter: 0,
    eligible_oauth2_scopes: [],
    approximate_guild_count: world.guilds.length,
    approximate_user_install_count: 0,
    approximate_user_authorization_count: 0,
  };
}

async function editApplication({ world, delivery, body }: RestRequest) {
  const form = new Form();
  checkSpec(form, ApplicationFormPartialSchema, body);
  requireForm(form);
  const url = isRecord(body) ? body.interactions_endpoint_url : undefined;
  if (typeof url === "string" && url !== "") {
    const message = "The specified interactions endpoint url could not be verified.";
    form.expect(await delivery.verify(url), ["interactions_endpoint_url"], "APPLICATION_INTERACTIONS_ENDPOINT_URL_INVALID", message);
    requireForm(form);
    world.interactionsUrl = url;
  } else if (url === null || url === "") {
    world.interactionsUrl = null;
  }
  return ok(application(world));
}

const COMMANDS = "/applications/:application/commands";
const GUILD_COMMANDS = "/applications/:application/guilds/:guild/commands";

export const applicationRoutes: Route[] = [
  { method: "GET", pattern: "/applications/@me", limit: "other", resource: [], auth: true, handle: ({ world }) => ok(application(world)) },
  { method: "PATCH", pattern: "/applications/@me", limit: "other", resource: [], auth: true, handle: editApplication },
  { method: "GET", pattern: COMMANDS, limit: "other", resource: [], auth: true, handle: listCommands },
  { method: "PUT", pattern: COMMANDS, limit: "commands-write", resource: [], auth: true, handle: overwriteCommands },
  { method: "GET", pattern: GUILD_COMMANDS, limit: "other", resource: ["guild"], auth: true, handle: listCommands },
  { method: "PUT", pattern: GUILD_COMMANDS, limit: "commands-write", resource: ["guild"], auth: true, handle: overwriteCommands },
];
