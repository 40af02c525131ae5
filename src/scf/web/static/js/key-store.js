// A signing key of this browser: made here, kept here, and it signs here what is shown here. The service never sees it.
import { keccak_256 } from "../vendor/noble-hashes-2.4.0/sha3.js";
import { getPublicKey, signAsync, utils } from "../vendor/noble-secp256k1-3.2.0/index.js";

const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
const bytes = (text) => Uint8Array.from(text.replace(/^0x/, "").match(/../g) || [], (pair) => parseInt(pair, 16));
const join = (...parts) => {
  const made = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
  parts.reduce((at, one) => (made.set(one, at), at + one.length), 0);
  return made;
};
const utf8 = (text) => new TextEncoder().encode(text);

export const addressOf = (key) => {
  const plain = hex(keccak_256(getPublicKey(key, false).slice(1)).slice(12));
  const mark = hex(keccak_256(utf8(plain)));
  return "0x" + [...plain].map((one, at) => (parseInt(mark[at], 16) > 7 ? one.toUpperCase() : one)).join("");
};

// EIP-712: the digest is computed here from the fields that are shown, not taken from the server.
const needed = (types, name, found = new Set()) => {
  const plain = name.replace(/\[\d*\]$/, "");
  if (!types[plain] || found.has(plain)) return found;
  found.add(plain);
  for (const field of types[plain]) needed(types, field.type, found);
  return found;
};
const typeHash = (types, name) => {
  const others = [...needed(types, name)].filter((one) => one !== name).sort();
  const text = [name, ...others].map((one) => `${one}(${types[one].map((f) => `${f.type} ${f.name}`).join(",")})`).join("");
  return keccak_256(utf8(text));
};
const word = (types, type, value) => {
  const list = /^(.*)\[\d*\]$/.exec(type);
  if (list) return keccak_256(join(...value.map((one) => word(types, list[1], one))));
  if (types[type]) return structHash(types, type, value);
  if (type === "string") return keccak_256(utf8(value));
  if (type === "bytes") return keccak_256(bytes(value));
  if (/^bytes\d+$/.test(type)) return bytes(value.replace(/^0x/, "").padEnd(64, "0"));
  if (type === "address") return bytes(value.replace(/^0x/, "").padStart(64, "0"));
  if (type === "bool") return bytes((value ? "1" : "0").padStart(64, "0"));
  if (/^uint\d*$/.test(type)) return bytes(BigInt(value).toString(16).padStart(64, "0"));
  throw new Error(`a field of type ${type} cannot be signed here`);
};
const structHash = (types, name, value) =>
  keccak_256(join(typeHash(types, name), ...types[name].map((field) => word(types, field.type, value[field.name]))));
const digestOf = ({ types, domain, primaryType, message }) =>
  keccak_256(join(bytes("1901"), structHash(types, "EIP712Domain", domain), structHash(types, primaryType, message)));

export const signed = async (key, typed, expected) => {
  const digest = digestOf(typed);
  if (expected && hex(digest) !== expected) throw new Error("digest");
  const made = await signAsync(digest, key, { prehash: false, format: "recovered" });
  return "0x" + hex(made.slice(1)) + (27 + made[0]).toString(16);
};

// Kept in this browser's own store, sealed under a key that no script can read out.
const store = () =>
  new Promise((done, failed) => {
    const request = indexedDB.open("scf-keys", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("keys");
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
const inStore = async (mode, work) => {
  const base = await store();
  return new Promise((done, failed) => {
    const request = work(base.transaction("keys", mode).objectStore("keys"));
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
};
export const keep = async (key) => {
  const seal = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, seal, key);
  const address = addressOf(key);
  await inStore("readwrite", (keys) => keys.put({ seal, iv, sealed }, address.toLowerCase()));
  if (navigator.storage?.persist) navigator.storage.persist();
  return address;
};
export const known = async (address) => {
  const row = await inStore("readonly", (keys) => keys.get(address.toLowerCase()));
  if (!row) return null;
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: row.iv }, row.seal, row.sealed));
};

// A spare copy under a passphrase, in the format of Web3 Secret Storage, which wallets read too.
const derived = async (passphrase, salt, count) => {
  const base = await crypto.subtle.importKey("raw", utf8(passphrase), "PBKDF2", false, ["deriveBits"]);
  const made = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: count }, base, 256);
  return new Uint8Array(made);
};
const opened = async (kdf, given, passphrase) => {
  const salt = bytes(given.salt);
  if (kdf === "pbkdf2") return derived(passphrase, salt, given.c);
  if (kdf !== "scrypt") throw new Error("format");
  const { scryptAsync } = await import("../vendor/noble-hashes-2.4.0/scrypt.js"); // wallets and `scf keys make` use it
  return scryptAsync(utf8(passphrase), salt, { N: given.n, r: given.r, p: given.p, dkLen: given.dklen, maxmem: 2 ** 30 });
};
const cipher = async (way, secret, iv, data) => {
  const key = await crypto.subtle.importKey("raw", secret.slice(0, 16), "AES-CTR", false, [way]);
  return new Uint8Array(await crypto.subtle[way]({ name: "AES-CTR", counter: iv, length: 128 }, key, data));
};
export const spare = async (key, passphrase) => {
  const [salt, iv, count] = [crypto.getRandomValues(new Uint8Array(32)), crypto.getRandomValues(new Uint8Array(16)), 600000];
  const secret = await derived(passphrase, salt, count);
  const text = await cipher("encrypt", secret, iv, key);
  return JSON.stringify({
    version: 3,
    id: crypto.randomUUID(),
    address: addressOf(key).slice(2).toLowerCase(),
    crypto: {
      cipher: "aes-128-ctr",
      cipherparams: { iv: hex(iv) },
      ciphertext: hex(text),
      kdf: "pbkdf2",
      kdfparams: { c: count, dklen: 32, prf: "hmac-sha256", salt: hex(salt) },
      mac: hex(keccak_256(join(secret.slice(16, 32), text))),
    },
  });
};
export const fromSpare = async (file, passphrase) => {
  const { crypto: box } = JSON.parse(file);
  if (box.cipher !== "aes-128-ctr") throw new Error("format");
  const secret = await opened(box.kdf, box.kdfparams, passphrase);
  const text = bytes(box.ciphertext);
  if (hex(keccak_256(join(secret.slice(16, 32), text))) !== box.mac) throw new Error("passphrase");
  return cipher("decrypt", secret, bytes(box.cipherparams.iv), text);
};
export const fresh = () => keep(utils.randomSecretKey());
