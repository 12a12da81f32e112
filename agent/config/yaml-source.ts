import { type Document, isAlias, isCollection, isMap, isNode, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import type * as z from "zod";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { type Environment, expandDocument, secretNames } from "./expand.ts";
import { complaints, formatPath, type Path } from "./issues.ts";
import { Sources } from "./sources.ts";

/** A config of 50 servers is some 20 kB; beyond this it is another file. */
export const YAML_BYTES_MAX = 1024 * 1024;
/** So often may aliases of a file be followed: enough for shared settings, far too few for a bomb. */
const YAML_ALIASES_MAX = 100;
/** So many problems are named at once. */
const PROBLEMS_MAX = 100;

/** A YAML file that knows where each of its values stands, and collects what is wrong with them. */
export class YamlSource {
  readonly file: string;
  readonly problems: ConfigProblem[] = [];
  /** The plain data; undefined when the file could not be read as YAML. */
  data: unknown;
  readonly #document: Document | undefined;
  readonly #lines = new LineCounter();

  /** Parses `text`. Never throws: look at `problems`. */
  constructor(file: string, text: string) {
    this.file = file;
    this.#document = this.#try(() => this.#read(text));
  }

  /** The names of the secrets that its texts ask for. */
  get secretNames(): string[] {
    return (this.#document && this.#try(() => secretNames(this.#document as Document))) ?? [];
  }

  /** Puts in the variables and secrets that its texts name. Never throws: look at `problems`. */
  expand(environment: Environment): void {
    const document = this.#document;
    if (document === undefined) return;
    this.#try(() => {
      expandDocument(document, environment, (node, path, message) => this.#add(this.#position(node), formatPath(path), message));
      this.data = document.toJS({ maxAliasCount: YAML_ALIASES_MAX });
    });
  }

  #try<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.data = undefined;
      this.#add({ line: 1, column: 1 }, "", `cannot be read as YAML: ${words(error)}`);
      return undefined;
    }
  }

  #read(text: string): Document | undefined {
    const document = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: true, version: "1.2", schema: "core", merge: false });
    // A warning is a tag or a directive that nobody knows: nothing that belongs into a config.
    for (const { linePos, message } of [...document.errors, ...document.warnings]) {
      this.#add({ line: linePos?.[0].line ?? 1, column: linePos?.[0].col ?? 1 }, "", plain(message));
    }
    if (this.problems.length > 0) return undefined;
    this.data = document.toJS({ maxAliasCount: YAML_ALIASES_MAX });
    return document;
  }

  /** Reads a file. @throws ConfigError when it cannot be read, is too large, or is no UTF-8 text. */
  static async read(file: string, sources = new Sources()): Promise<YamlSource> {
    const refuse = (message: string) => new ConfigError([{ file, line: 1, column: 1, path: "", message }]);
    const look = await sources.file(file, YAML_BYTES_MAX);
    if (look.state === "too-large") throw refuse(`is larger than ${YAML_BYTES_MAX / 1024} KiB. Is it the right file?`);
    if (look.state === "failed") throw refuse(`cannot be read: ${look.error.message}`);
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(look.bytes);
    } catch {
      throw refuse("is not UTF-8 text. Save it as UTF-8");
    }
    return new YamlSource(file, text);
  }

  /** Notes a problem with the value at `path`, or with its key `key`. */
  complain(path: Path, message: string, key?: string): void {
    const node = key === undefined ? this.#nodeAt(path) : (this.#keyAt(path, key) ?? this.#nodeAt(path));
    this.#add(this.#position(node), formatPath(key === undefined ? path : [...path, key]), message);
  }

  /** The data as `schema` gives it; undefined, and problems, when it does not fit. */
  parse<T extends z.ZodType>(schema: T): z.output<T> | undefined {
    if (this.#document === undefined || this.data === undefined) return undefined;
    const parsed = schema.safeParse(this.data);
    if (parsed.success) return parsed.data;
    for (const { path, key, message } of complaints(parsed.error.issues, schema, this.data)) this.complain(path, message, key);
    return undefined;
  }

  #add(position: { line: number; column: number }, path: string, message: string): void {
    const { file, problems } = this;
    if (problems.length < PROBLEMS_MAX) problems.push({ file, ...position, path, message });
  }

  #position(node: Node | undefined): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(node?.range?.[0] ?? 0);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  /** The node at a path, or the last one on the way to it: a missing key is a problem of the map that lacks it. */
  #nodeAt(path: Path): Node | undefined {
    let node: unknown = this.#document?.contents;
    for (const step of path) {
      const collection = this.#resolve(node);
      const next: unknown = isCollection(collection) ? collection.get(step, true) : undefined;
      if (!isNode(next)) break;
      node = next;
    }
    return isNode(node) ? node : undefined;
  }

  #keyAt(path: Path, key: string): Node | undefined {
    const map = this.#resolve(this.#nodeAt(path));
    const pair = isMap(map) ? map.items.find((it) => isScalar(it.key) && String(it.key.value) === key) : undefined;
    return pair && isNode(pair.key) ? pair.key : undefined;
  }

  #resolve(node: unknown): unknown {
    return isAlias(node) && this.#document ? node.resolve(this.#document) : node;
  }
}

/** The parser is recursive: lists in lists by the thousand exhaust the stack, which is no error of the machine. */
const STACK_EXHAUSTED = /Maximum call stack size exceeded/;

const plain = (message: string) => {
  if (STACK_EXHAUSTED.test(message)) return "is nested too deeply";
  return message.split("\n", 1)[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? message;
};

const words = (error: unknown) => plain(error instanceof Error ? error.message : String(error));
