import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export interface SigningKey {
  /** Hex, as Discord's developer portal shows it. */
  publicKey: string;
  /** PKCS 8 in PEM, to keep it over a restart. */
  pem: string;
  sign(timestamp: string, body: string): string;
}

/** Makes a new Ed25519 key, or takes a kept one. */
export function signingKey(pem?: string): SigningKey {
  const key = pem === undefined ? generateKeyPairSync("ed25519").privateKey : createPrivateKey(pem);
  return {
    publicKey: publicKeyHex(key),
    pem: key.export({ type: "pkcs8", format: "pem" }).toString(),
    sign: (timestamp, body) => sign(null, Buffer.from(timestamp + body), key).toString("hex"),
  };
}

function publicKeyHex(key: KeyObject): string {
  const { x } = createPublicKey(key).export({ format: "jwk" });
  return Buffer.from(x ?? "", "base64url").toString("hex");
}

/** A signature of the right length that fits nothing: Discord sends such ones to see whether an endpoint checks them. */
export const BAD_SIGNATURE = "00".repeat(64);
