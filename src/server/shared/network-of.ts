/** Which addresses count as one. */

/** Returns the network of an address: itself, or of IPv6 its /64, since one household has a whole /64 and may take any address of it. */
export function networkOf(address: string): string {
  const mapped = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  if (!mapped.includes(":")) return mapped;
  const [head = "", tail = ""] = (mapped.split("%")[0] as string).split("::", 2);
  const before = head === "" ? [] : head.split(":");
  const after = tail === "" ? [] : tail.split(":");
  const zeros = Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array.from({ length: zeros }, () => "0"), ...after].slice(0, 4).join(":");
}
