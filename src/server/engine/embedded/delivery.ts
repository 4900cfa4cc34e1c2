/** Hands out what was decided, in the order in which it was decided, and nothing before it is kept. */

export interface Delivery {
  /** `hand` is called once `kept` has resolved and all that was added before has been handed out. */
  add(kept: Promise<void> | undefined, hand: () => void): void;
  /** Whether what is added now would have to wait until something is kept. */
  readonly isHeldUp: boolean;
}

interface Parcel {
  readonly hand: () => void;
  kept: boolean;
}

export function createDelivery(): Delivery {
  const parcels: Parcel[] = [];
  let handing = false;

  // Whoever is handed something may decide the next thing at once: that waits until this has been handed out whole.
  const handOut = () => {
    if (handing) return;
    handing = true;
    try {
      while (parcels[0]?.kept === true) parcels.shift()?.hand();
    } finally {
      handing = false;
    }
  };

  return {
    get isHeldUp() {
      return !handing && parcels.length > 0;
    },
    add(kept, hand) {
      if (kept === undefined && parcels.length === 0 && !handing) {
        handing = true;
        try {
          hand();
        } finally {
          handing = false;
        }
        if (parcels.length > 0) handOut();
        return;
      }
      const parcel: Parcel = { hand, kept: kept === undefined };
      parcels.push(parcel);
      kept?.then(() => {
        parcel.kept = true;
        handOut();
      });
    },
  };
}
