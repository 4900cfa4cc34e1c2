import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fifo, type FifoNode } from "../../../../src/server/machine/structures/fifo.ts";

interface Node extends FifoNode<Node> {}

function createNode(arrival: number): Node {
  return { arrival, present: true, previous: undefined, next: undefined };
}

const operation = fc.record({
  kind: fc.constantFrom("append", "append", "remove", "remove first", "leave", "leave first", "come back"),
  which: fc.nat(),
});

describe("fifo", () => {
  it("is a sorted array, whatever nodes come, leave for good, leave for a while and come back", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        const fifo = new Fifo<Node>();
        let model: Node[] = [];
        let arrivals = 0;
        const present = () => model.filter((node) => node.present);
        const away = () => model.filter((node) => !node.present);
        for (const { kind, which } of operations) {
          const pick = (nodes: readonly Node[]) => nodes[which % nodes.length];
          if (kind === "append") {
            const node = createNode(++arrivals);
            fifo.append(node);
            model.push(node);
          } else if (kind === "remove" || kind === "remove first") {
            const node = kind === "remove" ? pick(model) : present()[0];
            if (node === undefined) continue;
            fifo.remove(node);
            model = model.filter((other) => other !== node);
          } else if (kind === "come back") {
            const node = pick(away());
            if (node) fifo.comeBack(node);
          } else {
            const node = kind === "leave" ? pick(present()) : present()[0];
            if (node) fifo.leave(node);
          }
          expect(fifo.first?.arrival).toBe(present()[0]?.arrival);
          expect(fifo.presentCount).toBe(present().length);
          expect(fifo.size).toBe(model.length);
          expect(Array.from(fifo.present(), (node) => node.arrival)).toEqual(present().map((node) => node.arrival));
          expect(Array.from(fifo.all(), (node) => node.arrival)).toEqual(model.map((node) => node.arrival));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("keeps nothing of a node that was taken out", () => {
    const fifo = new Fifo<Node>();
    const [a, b, c] = [createNode(1), createNode(2), createNode(3)];
    for (const node of [a, b, c]) fifo.append(node);
    fifo.leave(b);
    fifo.comeBack(b);
    for (const node of [b, a, c]) fifo.remove(node);
    for (const node of [a, b, c]) expect(node).toEqual(createNode(node.arrival));
    expect([...fifo.all()]).toEqual([]);
  });

  // What the heap of the nodes that came back costs is counted where heaps are: in deadlines.test.ts.
  describe("costs a fixed number of looks at nodes an operation", () => {
    const SIZE = 100_000;
    let looks = 0;
    class Counted implements FifoNode<Counted> {
      readonly #arrival: number;
      present = true;
      #previous: Counted | undefined;
      #next: Counted | undefined;

      constructor(arrival: number) {
        this.#arrival = arrival;
      }
      get arrival() {
        looks += 1;
        return this.#arrival;
      }
      get previous() {
        looks += 1;
        return this.#previous;
      }
      set previous(node) {
        this.#previous = node;
      }
      get next() {
        looks += 1;
        return this.#next;
      }
      set next(node) {
        this.#next = node;
      }
    }

    function filled() {
      const fifo = new Fifo<Counted>();
      const nodes = Array.from({ length: SIZE }, (_, index) => new Counted(index));
      for (const node of nodes) fifo.append(node);
      return { fifo, nodes };
    }

    function costOf(act: () => void): number {
      looks = 0;
      act();
      return looks;
    }

    it("when the head leaves and comes back before 100,000 that are away", () => {
      const { fifo, nodes } = filled();
      const [head, ...others] = nodes as [Counted, ...Counted[]];
      for (const node of others.slice(0, -1)) fifo.leave(node);
      for (let round = 0; round < 10; round++) {
        expect(costOf(() => fifo.leave(head))).toBeLessThan(10);
        expect(costOf(() => fifo.first)).toBeLessThan(10);
        expect(costOf(() => fifo.comeBack(head))).toBeLessThan(10);
        expect(costOf(() => [...fifo.present()])).toBeLessThan(10);
      }
    });

    it("when any of 100,000 leaves and comes back among the present", () => {
      const { fifo, nodes } = filled();
      for (let index = 0; index < SIZE; index += 101) {
        const node = nodes[index] as Counted;
        expect(costOf(() => fifo.leave(node))).toBeLessThan(10);
        expect(costOf(() => fifo.comeBack(node))).toBeLessThan(10);
        expect(costOf(() => fifo.first)).toBeLessThan(10);
      }
    });

    it("when 100,000 have come back, and are served", () => {
      const { fifo, nodes } = filled();
      for (const node of nodes) fifo.leave(node);
      for (const node of nodes.toReversed()) fifo.comeBack(node);
      let most = 0;
      for (const node of nodes) {
        let first: Counted | undefined;
        most = Math.max(
          most,
          costOf(() => {
            first = fifo.first;
          }),
          costOf(() => fifo.remove(node)),
        );
        if (first !== node) throw new Error(`${first?.arrival} was first before ${node.arrival}`);
      }
      expect(most).toBeLessThan(10);
    });
  });
});
