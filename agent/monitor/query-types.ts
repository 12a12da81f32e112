/**
 * Types of gamedig that ask a service on the Internet instead of the server. ReconSync never uses one by itself; who writes one into
 * the config gets a warning. Read from the protocols of gamedig 5.3.3.
 */
const INTERNET_PROTOCOLS = new Set([
  "altvmp",
  "asa",
  "beammpmaster",
  "brokeprotocol",
  "brokeprotocolmaster",
  "discord",
  "epic",
  "factorio",
  "geneshift",
  "hawakening",
  "hawakeningmaster",
  "minetest",
  "ragemp",
  "renegadex",
  "renegadexmaster",
  "renown",
  "scpsl",
  "squad",
  "theisleevrima",
  "vintagestorymaster",
]);

/** gamedig loads an HTTP client and every protocol: only when somebody asks for it. */
async function protocolOf(type: string): Promise<string | undefined> {
  const { games, protocols } = await import("gamedig");
  if (type.startsWith("protocol-")) {
    const protocol = type.slice("protocol-".length);
    return Object.hasOwn(protocols, protocol) ? protocol : undefined;
  }
  return Object.hasOwn(games, type) ? games[type]?.options.protocol : undefined;
}

/** Whether gamedig knows `type`: a game's name, or `protocol-NAME`. */
export async function isQueryType(type: string): Promise<boolean> {
  return (await protocolOf(type)) !== undefined;
}

/** Whether a query of this type leaves the local network. */
export async function asksTheInternet(type: string): Promise<boolean> {
  const protocol = await protocolOf(type);
  return protocol !== undefined && INTERNET_PROTOCOLS.has(protocol);
}
