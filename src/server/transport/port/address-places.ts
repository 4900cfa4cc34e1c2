/** How many connections may be open from one address. */

import type { Counts } from "../../shared/counts.ts";
import { slotNameOf } from "../../shared/named-slots.ts";
import { networkOf } from "../../shared/network-of.ts";

export interface AddressPlaces {
  /** Takes a place for a connection from there. Returns what gives it back; undefined: as many are open as may be. */
  take(address: string): (() => void) | undefined;
}

/** `most`: asked for anew each time; undefined: any number. */
export function createAddressPlaces(counts: Counts, most: () => number | undefined): AddressPlaces {
  return { take: (address) => counts.take(slotNameOf(networkOf(address)), most() ?? Number.POSITIVE_INFINITY) };
}
