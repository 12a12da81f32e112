import { Cipher, type MasterKey } from "./format/cipher.ts";

let known: { key: Buffer; cipher: Cipher } | undefined;

/** The cipher of a key that came with a task, made once a thread while the key stays the same. */
export function threadCipher(master: MasterKey): Cipher {
  // What was posted to a thread comes as Uint8Array.
  const key = Buffer.concat([master.encrypt, master.mac.k, master.mac.r]);
  if (known === undefined || !known.key.equals(key)) known = { key, cipher: new Cipher(master) };
  return known.cipher;
}
