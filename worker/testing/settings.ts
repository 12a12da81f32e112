/** Bindings of the Worker under test. The key pair was made for the tests and is used nowhere else. */

export const TEST_KEY = {
  kty: "OKP",
  crv: "Ed25519",
  d: "Wo3sfwUuI8olFi8KfXx2bAh66EI1ELWozFqkTkj8Nzg",
  x: "Ux6d1hfYAV9F_LbWm9pkdudAP7sLjWKLuOiACrul-RQ",
} as const;

export const TEST_BINDINGS = {
  DISCORD_APPLICATION_ID: "100000000000000001",
  DISCORD_PUBLIC_KEY: "531e9dd617d8015f45fcb6d69bda6476e7403fbb0b8d628bb8e8800abba5f914",
  DISCORD_API_URL: "https://discord.test/api/v10",
  DISCORD_BOT_TOKEN: "bot-token-of-the-tests",
  TOKEN_SECRET: "a secret of the tests, long enough to sign with",
} as const;
