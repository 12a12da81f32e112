import { randomBytes, type ScryptOptions, scrypt } from "node:crypto";
import { Cipher, type MasterKey } from "./cipher.ts";
import { CorruptError } from "./corrupt.ts";
import { formatTime, NS_PER_MS } from "./go-time.ts";
import { hashOf, type Id } from "./ids.ts";
import { Shape } from "./shape.ts";

export interface ScryptParams {
  N: number;
  r: number;
  p: number;
}

/** Who made a key, for people who list the keys. `now` in milliseconds since 1970. */
export interface KeyOwner {
  username: string;
  hostname: string;
  now: number;
}

/** What restic settles for: 32 MiB of memory and about a tenth of a second. Each backup pays for it once. */
export const SCRYPT_PARAMS: ScryptParams = { N: 2 ** 15, r: 8, p: 1 };

const MIB = 1024 * 1024;
/** Memory that a key file may ask for: restic's own calibration ends at 60 MiB. */
const SCRYPT_MEMORY_MAX = 512 * MIB;
/** Blocks of work that a key file may ask for: 1,024 times SCRYPT_PARAMS, about two minutes. */
const SCRYPT_WORK_MAX = 2 ** 28;
/** Room for scrypt's small buffers beside its large one, in bytes. */
const SCRYPT_EXTRA = MIB;
const SALT_BYTES = 64;
/** 32 to encrypt, 16 and 16 to sign. */
const DERIVED_BYTES = 64;
const KEY_BYTES = 32;
const MAC_KEY_BYTES = 16;
/** A key file has some 500 bytes. */
const KEY_FILE_BYTES_MAX = 64 * 1024;

/** Bits of r that Poly1305 does not use, which restic keeps zero. */
const R_MASK = Buffer.from("ffffff0ffcffff0ffcffff0ffcffff0f", "hex");

/** Fresh keys for a new repository. */
export function newMasterKey(): MasterKey {
  const r = randomBytes(MAC_KEY_BYTES).map((byte, at) => byte & (R_MASK[at] ?? 0));
  return { encrypt: randomBytes(KEY_BYTES), mac: { k: randomBytes(MAC_KEY_BYTES), r: Buffer.from(r) } };
}

/** The master key, sealed under a password. `name` is what the file is stored under. */
export async function createKeyFile(
  password: Buffer,
  master: MasterKey,
  { username, hostname, now }: KeyOwner,
  { N, r, p }: ScryptParams = SCRYPT_PARAMS,
): Promise<{ name: Id; bytes: Buffer }> {
  const salt = randomBytes(SALT_BYTES);
  const { k, r: macR } = master.mac;
  const secret = { mac: { k: base64(k), r: base64(macR) }, encrypt: base64(master.encrypt) };
  const data = new Cipher(await derive(password, salt, { N, r, p })).seal(Buffer.from(JSON.stringify(secret)));
  const created = formatTime(BigInt(Math.trunc(now)) * NS_PER_MS);
  const file = { created, username, hostname, kdf: "scrypt", N, r, p, salt: base64(salt), data: base64(data) };
  const bytes = Buffer.from(JSON.stringify(file));
  return { name: hashOf(bytes), bytes };
}

/** The master key; null when the password is another one. @throws CorruptError, also for a key that would take absurd memory or time. */
export async function openKeyFile(bytes: Buffer, password: Buffer): Promise<MasterKey | null> {
  const what = `key ${hashOf(bytes)}`;
  if (bytes.length > KEY_FILE_BYTES_MAX) throw new CorruptError(what, `it has ${bytes.length} bytes`);
  const file = Shape.parse(bytes.toString(), what);
  if (file.string("kdf") !== "scrypt") throw new CorruptError(what, `its "kdf" is not scrypt`);
  const params = { N: file.count("N"), r: file.count("r"), p: file.count("p") };
  const refusal = paramsRefusal(params);
  if (refusal !== null) throw new CorruptError(what, refusal);
  const cipher = new Cipher(await derive(password, file.bytes("salt"), params));
  const secret = openOrNull(cipher, file.bytes("data"), what);
  if (secret === null) return null;
  const parsed = Shape.parse(secret.toString(), what);
  const mac = new Shape(parsed.value.mac, what);
  const master = { encrypt: parsed.bytes("encrypt"), mac: { k: mac.bytes("k"), r: mac.bytes("r") } };
  if (master.encrypt.length !== KEY_BYTES) parsed.fail("encrypt", `of ${KEY_BYTES} bytes`);
  if (master.mac.k.length !== MAC_KEY_BYTES || master.mac.r.length !== MAC_KEY_BYTES) parsed.fail("mac", `of ${MAC_KEY_BYTES} bytes each`);
  return master;
}

/** Why scrypt is not run with these numbers; null when it is. */
function paramsRefusal({ N, r, p }: ScryptParams): string | null {
  if (N < 2 || !Number.isInteger(Math.log2(N)) || r < 1 || p < 1) return `its scrypt parameters N=${N}, r=${r}, p=${p} are not valid`;
  if (N * r * 128 > SCRYPT_MEMORY_MAX) return `it asks for ${Math.ceil((N * r * 128) / MIB)} MiB of memory`;
  return N * r * p > SCRYPT_WORK_MAX ? `its scrypt parameters N=${N}, r=${r}, p=${p} would take many minutes` : null;
}

/** A wrong password gives keys under which the signature does not fit; so does damage, which cannot be told apart. */
function openOrNull(cipher: Cipher, data: Buffer, what: string): Buffer | null {
  try {
    return cipher.open(data, what);
  } catch (error) {
    if (error instanceof CorruptError) return null;
    throw error;
  }
}

async function derive(password: Buffer, salt: Buffer, { N, r, p }: ScryptParams): Promise<MasterKey> {
  const options: ScryptOptions = { N, r, p, maxmem: 128 * r * (N + p + 2) + SCRYPT_EXTRA };
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    scrypt(password, salt, DERIVED_BYTES, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
  const macAt = KEY_BYTES + MAC_KEY_BYTES;
  return { encrypt: bytes.subarray(0, KEY_BYTES), mac: { k: bytes.subarray(KEY_BYTES, macAt), r: bytes.subarray(macAt) } };
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
