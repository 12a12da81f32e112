import { type Cipheriv, createCipheriv, createSecretKey, type KeyObject, randomFillSync, timingSafeEqual } from "node:crypto";
import { Poly1305 } from "../kernels/poly1305.ts";
import { CorruptError } from "./corrupt.ts";
import { release } from "./release.ts";

/** The keys that a repository's contents are encrypted and signed with. */
export interface MasterKey {
  /** AES-256, 32 bytes. */
  encrypt: Buffer;
  /** Poly1305-AES: `k` for AES-128, `r` for the polynomial, 16 bytes each. */
  mac: { k: Buffer; r: Buffer };
}

const IV_BYTES = 16;
const MAC_BYTES = 16;
/** What sealing adds: an IV of 16 bytes before, a MAC of 16 behind. */
export const SEAL_OVERHEAD = IV_BYTES + MAC_BYTES;
/** So much is sealed at a time: it stays in the processor's caches, and takes little memory beside its target. In bytes, whole blocks of Poly1305. */
const PIECE_BYTES = 256 * 1024;
/** So many IVs are drawn at once, since each call for random bytes costs microseconds. */
const IVS_DRAWN = 256;

/**
 * Seals and opens what a repository holds: AES-256 in counter mode, then Poly1305-AES over what came out. Made in each thread that needs it; the
 * MasterKey may come from another thread.
 */
export class Cipher {
  /** Node takes 12 µs longer to make a cipher from bytes than from this. */
  readonly #encrypt: KeyObject;
  readonly #r: Uint8Array;
  readonly #nonceCipher: Cipheriv;
  readonly #poly1305 = new Poly1305();
  readonly #ivs = Buffer.alloc(IV_BYTES * IVS_DRAWN);
  #ivAt = this.#ivs.length;

  constructor(key: MasterKey) {
    this.#encrypt = createSecretKey(key.encrypt);
    this.#r = key.mac.r;
    this.#nonceCipher = createCipheriv("aes-128-ecb", key.mac.k, null).setAutoPadding(false);
  }

  /** IV, ciphertext, MAC. */
  seal(plain: Uint8Array): Buffer {
    const sealed = Buffer.allocUnsafe(plain.length + SEAL_OVERHEAD);
    this.sealInto(plain, sealed, 0);
    return sealed;
  }

  /** Writes what `seal` would answer into `target`. Answers the bytes written. */
  sealInto(plain: Uint8Array, target: Buffer, at: number): number {
    const end = at + IV_BYTES + plain.length;
    if (end + MAC_BYTES > target.length) throw new RangeError(`${plain.length} bytes, sealed, do not fit behind ${at} of ${target.length}`);
    const iv = this.#nextIv();
    target.set(iv, at);
    const cipher = createCipheriv("aes-256-ctr", this.#encrypt, iv);
    this.#poly1305.begin(this.#r, this.#nonceCipher.update(iv));
    for (let from = 0; from < plain.length; from += PIECE_BYTES) {
      const ciphertext = cipher.update(plain.subarray(from, from + PIECE_BYTES));
      // From here, not from the target: that may be memory shared between threads, which V8 copies more slowly.
      this.#poly1305.take(ciphertext);
      target.set(ciphertext, at + IV_BYTES + from);
      release(ciphertext);
    }
    target.set(this.#poly1305.end(), end);
    return plain.length + SEAL_OVERHEAD;
  }

  /** Memory for what was sealed: it is opened there without a copy. What an earlier call gave may be empty afterwards. */
  buffer(capacity: number): Buffer {
    return this.#poly1305.buffer(capacity);
  }

  /** What was sealed. `what` names it for an error. @throws CorruptError */
  open(sealed: Uint8Array, what: string): Buffer {
    if (sealed.length < SEAL_OVERHEAD) throw new CorruptError(what, `it has ${sealed.length} bytes, fewer than an empty one`);
    const iv = sealed.subarray(0, IV_BYTES);
    const ciphertext = sealed.subarray(IV_BYTES, -MAC_BYTES);
    if (!timingSafeEqual(this.#mac(iv, ciphertext), sealed.subarray(-MAC_BYTES))) {
      throw new CorruptError(what, "its contents do not fit their signature");
    }
    // In counter mode, encrypting and decrypting are the same.
    return createCipheriv("aes-256-ctr", this.#encrypt, iv).update(ciphertext);
  }

  #mac(iv: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    return this.#poly1305.tag(this.#r, this.#nonceCipher.update(iv), ciphertext);
  }

  #nextIv(): Uint8Array {
    if (this.#ivAt === this.#ivs.length) {
      randomFillSync(this.#ivs);
      this.#ivAt = 0;
    }
    this.#ivAt += IV_BYTES;
    return this.#ivs.subarray(this.#ivAt - IV_BYTES, this.#ivAt);
  }
}
