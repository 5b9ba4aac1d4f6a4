// The QR code of a short text, such as tel: and any number, drawn here so that no server is told the number.
"use strict";

// The outline of the dark modules, for a <path> in a square of 25, or null when the text is longer than 26 bytes.
// Version 2, error correction M, one block, always mask 0, which every reader takes (ISO/IEC 18004:2015).
function qrPath(text) { // eslint-disable-line no-unused-vars
  const SIZE = 25, DATA = 28, CORRECTION = 16;
  const FORMAT = 0x5412;  // correction M and mask 0, with their own check bits (annex C)
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > DATA - 2) return null;

  // Mode (4 bits), length (8 bits), the bytes, an end of 4 zeros: all of it half a byte off. Then padding.
  const words = [0x40 | bytes.length >> 4];
  let half = bytes.length & 15;
  for (const byte of bytes) {
    words.push(half << 4 | byte >> 4);
    half = byte & 15;
  }
  words.push(half << 4);
  for (let pad = 0xec; words.length < DATA; pad ^= 0xec ^ 0x11) words.push(pad);

  // Reed-Solomon: the remainder of the data divided by the product of (x - 2^i), over GF(256) modulo 0x11d.
  const times = (a, b) => {
    let product = 0;
    for (let bit = 7; bit >= 0; bit--) product = product << 1 ^ (product >> 7) * 0x11d ^ (b >> bit & 1) * a;
    return product;
  };
  let divisor = [1];
  for (let i = 0, root = 1; i < CORRECTION; i++, root = times(root, 2)) {
    divisor = [...divisor, 0].map((factor, at) => factor ^ (at ? times(divisor[at - 1], root) : 0));
  }
  let rest = new Array(CORRECTION).fill(0);
  for (const word of words) {
    const factor = word ^ rest[0];
    rest = [...rest.slice(1), 0].map((value, at) => value ^ times(divisor[at + 1], factor));
  }
  words.push(...rest);

  // What every code of this version has. An undefined module is one for data.
  const modules = Array.from({ length: SIZE }, () => new Array(SIZE));
  const set = (x, y, dark) => { if (x >= 0 && y >= 0 && x < SIZE && y < SIZE) modules[y][x] = Boolean(dark); };
  const square = (x, y, reach, light) => {
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) set(x + dx, y + dy, !light.includes(Math.max(Math.abs(dx), Math.abs(dy))));
    }
  };
  for (let at = 0; at < SIZE; at++) { set(6, at, at % 2 === 0); set(at, 6, at % 2 === 0); }
  for (const [x, y] of [[3, 3], [SIZE - 4, 3], [3, SIZE - 4]]) square(x, y, 4, [2, 4]);
  square(18, 18, 2, [1]);
  for (let bit = 0; bit < 15; bit++) {
    const dark = FORMAT >> bit & 1;
    set(8, bit < 6 ? bit : bit < 8 ? bit + 1 : SIZE - 15 + bit, dark);
    set(bit < 8 ? SIZE - 1 - bit : bit < 9 ? 7 : 14 - bit, 8, dark);
  }
  set(8, SIZE - 8, true);

  // The data, from the right in columns of two, up and down, past the column of the dotted line.
  let bit = 0;
  for (let right = SIZE - 1; right > 0; right -= right === 8 ? 3 : 2) {
    for (let step = 0; step < SIZE; step++) {
      const y = right + 1 & 2 ? step : SIZE - 1 - step;
      for (const x of [right, right - 1]) {
        if (modules[y][x] !== undefined) continue;
        const dark = bit < 8 * words.length ? words[bit >> 3] >> 7 - (bit & 7) & 1 : 0;
        modules[y][x] = Boolean(dark ^ (x + y) % 2 ^ 1);
        bit++;
      }
    }
  }
  return modules.map((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : "")).join("")).join("");
}
