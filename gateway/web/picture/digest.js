// SHA-256 of a file, by which the service recognizes an image. A page that was loaded over plain HTTP from another machine
// has no `crypto.subtle`; then it is computed here.

/** Return the digest in lower-case hexadecimal. */
export async function digestOf(buffer) {
  const bytes = globalThis.crypto?.subtle
    ? new Uint8Array(await crypto.subtle.digest("SHA-256", buffer))
    : sha256(new Uint8Array(buffer));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return the 32 bytes of the digest (FIPS 180-4). */
export function sha256(bytes) {
  const [state, constants] = firstWords();
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, 8n * BigInt(bytes.length));
  const words = new Int32Array(64);
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(block + 4 * i);
    for (let i = 16; i < 64; i++) {
      const [a, b] = [words[i - 15], words[i - 2]];
      const first = turned(a, 7) ^ turned(a, 18) ^ (a >>> 3);
      const second = turned(b, 17) ^ turned(b, 19) ^ (b >>> 10);
      words[i] = words[i - 16] + first + words[i - 7] + second;
    }
    mix(state, words, constants);
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => digest.setInt32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

function mix(state, words, constants) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const first = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + words[i];
    const second = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
}

function turned(word, bits) {
  return (word >>> bits) | (word << (32 - bits));
}

/** Return the fractional parts of the square roots of 8 primes, and of the cube roots of 64, as words of 32 bits. */
function firstWords() {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  const word = (root) => (root - Math.floor(root)) * 2 ** 32;
  return [
    Int32Array.from(primes.slice(0, 8), (prime) => word(Math.sqrt(prime)) | 0),
    Int32Array.from(primes, (prime) => word(Math.cbrt(prime)) | 0),
  ];
}
