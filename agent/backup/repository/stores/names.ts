import { AgentError } from "../../../errors.ts";
import { CONFIG_NAME, type FileType } from "./store.ts";

const ID = /^[0-9a-f]{64}$/;

/** A name that files of this type can have. Everything else that lies in a store is somebody else's. */
export function isNameOf(type: FileType, name: string): boolean {
  return type === "config" ? name === CONFIG_NAME : ID.test(name);
}

/** @throws AgentError `store-failed`: no other name is ever made into a path */
export function checkName(type: FileType, name: string): void {
  if (!isNameOf(type, name)) throw new AgentError("store-failed", `"${name.slice(0, 80)}" is no name of a repository's file (${type}).`);
}

/** Where a file lies below the repository's root, with `/`. Packs are spread over 256 folders by the first two digits. */
export function pathOf(type: FileType, name: string): string {
  checkName(type, name);
  if (type === "config") return CONFIG_NAME;
  return type === "data" ? `data/${name.slice(0, 2)}/${name}` : `${type}/${name}`;
}

/** What messages call a file. */
export function nameIn(type: FileType, name: string): string {
  return type === "config" ? "config" : `${type} file ${name.slice(0, 12)}…`;
}
