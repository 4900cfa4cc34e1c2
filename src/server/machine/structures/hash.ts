/** Hashes of ids, for tables of numbers. A client that chooses ids can make them collide: that may cost time, nothing else. */

/** 32 bits by FNV-1a, mixed. */
export function hash(id: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) h = Math.imul(h ^ id.charCodeAt(i), 0x01000193);
  return mixed(h);
}

/** Spreads what differs in a few bits over all 32 of them, as MurmurHash3 does at its end. */
export function mixed(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
