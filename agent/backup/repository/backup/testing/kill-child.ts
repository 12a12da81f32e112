import { Repository } from "../../repository.ts";
import { LocalStore } from "../../stores/local.ts";
import type { FileType, RepositoryStore } from "../../stores/store.ts";
import { backup } from "../run.ts";

/** A process that backs a folder up and kills itself at the n-th write to the store: before it, or right after it. */
const [repository = "", cache = "", world = "", password = "", at = "0", when = "before"] = process.argv.slice(2);

const store = new LocalStore(repository);
let writes = 0;
const write: RepositoryStore["write"] = async (type: FileType, name, bytes, signal) => {
  writes += 1;
  const last = writes === Number(at);
  if (last && when === "before") process.kill(process.pid, "SIGKILL");
  await store.write(type, name, bytes, signal);
  if (last) process.kill(process.pid, "SIGKILL");
};
const dying: RepositoryStore = new Proxy(store, {
  get: (target, name) => {
    if (name === "write") return write;
    const value: unknown = Reflect.get(target, name, target);
    return typeof value === "function" ? value.bind(target) : value;
  },
});

await backup({ store: dying, opening: Repository.open(dying, Buffer.from(password)) }, [{ path: world }], {
  hostname: "game-host",
  username: "steward",
  now: Date.now,
  level: 1,
  threads: 2,
  cacheFolder: cache,
  signal: new AbortController().signal,
});
console.log(writes);
