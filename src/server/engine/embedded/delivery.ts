/** Hands out what was decided, in the order in which it was decided, and nothing before it is kept. */

export interface Delivery {
  /** `hand` is called once `kept` has resolved and all that was added before has been handed out. */
  add(kept: Promise<void> | undefined, hand: () => void): void;
  /**
   * `hand` is called now, or as soon as what is being handed out has been: for a "no", and for the answer to an asker that
   * gives something back or shows that it lives. They rely on nothing that has yet to be kept.
   */
  overtake(hand: () => void): void;
  /** Whether what is added now would have to wait until something is kept. */
  readonly isHeldUp: boolean;
}

interface Parcel {
  readonly hand: () => void;
  kept: boolean;
}

export function createDelivery(): Delivery {
  const parcels: Parcel[] = [];
  const urgent: (() => void)[] = [];
  let handing = false;
  let unkept = 0;

  // A listener that is handed something may decide the next thing at once: that waits until this has been handed out whole.
  const handOut = () => {
    if (handing) return;
    handing = true;
    try {
      for (;;) {
        const next = urgent.shift() ?? (parcels[0]?.kept === true ? parcels.shift()?.hand : undefined);
        if (next === undefined) return;
        next();
      }
    } finally {
      handing = false;
    }
  };

  return {
    get isHeldUp() {
      return unkept > 0;
    },
    overtake(hand) {
      urgent.push(hand);
      handOut();
    },
    add(kept, hand) {
      if (kept === undefined && parcels.length === 0 && !handing) {
        handing = true;
        try {
          hand();
        } finally {
          handing = false;
        }
        if (parcels.length > 0 || urgent.length > 0) handOut();
        return;
      }
      const parcel: Parcel = { hand, kept: kept === undefined };
      parcels.push(parcel);
      if (kept !== undefined) unkept += 1;
      kept?.then(() => {
        unkept -= 1;
        parcel.kept = true;
        handOut();
      });
    },
  };
}

/** Parts a list in two, those first of which it holds; each keeps its order. */
export function partition<T>(list: readonly T[], holds: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  if (list.length === 0) return [list, list];
  return [list.filter(holds), list.filter((one) => !holds(one))];
}
