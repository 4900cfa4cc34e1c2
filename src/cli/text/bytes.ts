/** Texts within the contract's bounds, which count bytes. */

/** The beginning of the text, in at most so many bytes of UTF-8, and no letter cut in two. */
export function cutToBytes(text: string, most: number): string {
  const whole = text.toWellFormed();
  const { read } = new TextEncoder().encodeInto(whole, new Uint8Array(most));
  return whole.slice(0, read);
}
