/** Names in order, kept so, so that a page of them costs no more than the page. */
export class SortedNames {
  readonly #names: string[] = [];

  add(name: string): void {
    const index = this.#indexOf(name);
    if (this.#names[index] !== name) this.#names.splice(index, 0, name);
  }

  delete(name: string): void {
    const index = this.#indexOf(name);
    if (this.#names[index] === name) this.#names.splice(index, 1);
  }

  /** Those after a name, which need not be there. */
  *after(name: string): Generator<string> {
    const index = this.#indexOf(name);
    for (let i = this.#names[index] === name ? index + 1 : index; i < this.#names.length; i++) {
      yield this.#names[i] as string;
    }
  }

  /** Where it is, or would be. */
  #indexOf(name: string): number {
    let low = 0;
    let high = this.#names.length;
    // Most files name their limiters in order.
    if (high > 0 && (this.#names[high - 1] as string) < name) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#names[middle] as string) < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
