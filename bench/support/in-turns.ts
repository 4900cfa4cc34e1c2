/** Measures several things in turns, A B C A B C …, so that a noisy machine is as noisy for each of them. */

/** Does a share of its work and says what that cost, or how fast it went. */
export type Side = () => number | Promise<number>;

/** The figures of each side, round by round. The first `warmUp` rounds (unset: 1) are left out. */
export async function inTurns<K extends string>(
  sides: Readonly<Record<K, Side>>,
  { rounds, warmUp = 1 }: { readonly rounds: number; readonly warmUp?: number },
): Promise<Record<K, number[]>> {
  const names = Object.keys(sides) as K[];
  const figures = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, number[]>;
  for (let round = -warmUp; round < rounds; round++) {
    for (const name of names) {
      const figure = await sides[name]();
      if (round >= 0) figures[name].push(figure);
    }
  }
  return figures;
}
