/**
 * Measures several things in turns, so that a noisy machine is as noisy for each of them. Each round begins one further on, A B C,
 * B C A, C A B, …: what comes after another in one round comes before it in another.
 */

/** Does a share of its work and says what that cost, or how fast it went. */
export type Side = () => number | Promise<number>;

/**
 * One side of several processes that run the same: their mean. Two processes of one code differ by a tenth, by what each has
 * compiled and when.
 */
export function meanOf(sides: readonly Side[]): Side {
  return async () => {
    let sum = 0;
    for (const side of sides) sum += await side();
    return sum / sides.length;
  };
}

/** The figures of each side, round by round. The first `warmUp` rounds (unset: 1) are left out. */
export async function inTurns<K extends string>(
  sides: Readonly<Record<K, Side>>,
  { rounds, warmUp = 1 }: { readonly rounds: number; readonly warmUp?: number },
): Promise<Record<K, number[]>> {
  const names = Object.keys(sides) as K[];
  const figures = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, number[]>;
  for (let round = -warmUp; round < rounds; round++) {
    const first = (round + warmUp) % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const figure = await sides[name]();
      if (round >= 0) figures[name].push(figure);
    }
  }
  return figures;
}
