// A ZIP archive of some files, not compressed: pictures are compressed already (APPNOTE 6.3.10).

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});
const VERSION = 20; // what a reader must support
const UTF8 = 0x0800; // the flag of names in UTF-8
const FIRST_DAY = 0x21; // 1980-01-01, so that the same files make the same archive

/** Return a Blob. `files` is a list of `{name, blob}`. */
export async function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, blob } of files) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const path = new TextEncoder().encode(name);
    const facts = [VERSION, UTF8, 0, 0, FIRST_DAY].flatMap((word) => le(word, 2));
    facts.push(...le(crc32(bytes), 4), ...le(bytes.length, 4), ...le(bytes.length, 4), ...le(path.length, 2), 0, 0);
    parts.push(Uint8Array.of(0x50, 0x4b, 3, 4, ...facts), path, bytes);
    const place = [...Array(10).fill(0), ...le(offset, 4)];
    directory.push(Uint8Array.of(0x50, 0x4b, 1, 2, ...le(VERSION, 2), ...facts, ...place), path);
    offset += 30 + path.length + bytes.length;
  }
  const size = directory.reduce((sum, each) => sum + each.length, 0);
  const counts = [...le(files.length, 2), ...le(files.length, 2), ...le(size, 4), ...le(offset, 4), 0, 0];
  const end = Uint8Array.of(0x50, 0x4b, 5, 6, 0, 0, 0, 0, ...counts);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** Return a number as bytes, the lowest first. */
function le(number, length) {
  return Array.from({ length }, (_, i) => (number >>> (8 * i)) & 255);
}
