/*
 * The lease protocol, for spin: what one limiter's server, its clients and the network between them may do, in every order.
 *
 * A client here is one attempt to hold a lease: a process that asks anew while what it had before is still about counts
 * as another client. A waiter in the queue is a client whose request has not been delivered yet: both last for as long
 * as they like, and end with a grant or by being given up. What is lost is a message that is never delivered. What a client
 * is notified of and may do unasked as well is left out: that it was displaced, or has lost its lease, and so stops.
 *
 * Time goes by ticks that all share. The server waits TTL of them; a client relies on its lease for half as many, from when
 * it sent what was confirmed, and is late by LATE at most, one less than the other half, because its clock is slow or it was
 * frozen: until then it is at work. Messages take any time, and those of different streams overtake one another.
 * With REVOKE an operator asks for leases back. With PROMISES clients say `keep_on_cancel`, and a proxy resets their streams.
 *
 * Bounds: PERMITS, CLIENTS (2 to 4), TTL (up to 6). A client has one call under way that may confirm its lease, and one stream
 * on which it has turned its back. Nothing else is bounded: crashes, losses of power, retries and rounds go on for ever.
 *
 * Each step is one indivisible transition and names the file that it stands for. `variants.ts` has the other switches.
 */

#ifndef PERMITS
#define PERMITS 2
#endif
#ifndef CLIENTS
#define CLIENTS 3
#endif
#ifndef TTL
#define TTL 4
#endif
#ifndef VALIDITY
#define VALIDITY (TTL / 2)
#endif
#ifndef LATE
#define LATE (TTL - TTL / 2 - 1)
#endif

#include "state.pml"
#include "look.pml"
#include "client.pml"
#include "server.pml"
#include "world.pml"

active [CLIENTS] proctype attempt() {
end:
  do
  :: clientActs()
  :: serverActs()
  od
}

#define all(predicate) (predicate(0) && predicate(1) && predicate(2 % CLIENTS) && predicate(CLIENTS - 1))
#define isKept(i) (client[i].kept == (client[i].lease == LIVE))
#define isInTime(i) (client[i].phase != HOLDING || client[i].left > 0)
#define isOrphaned(i) (client[i].streams == 0)

active proctype world() {
  d_step {
    for (n : 0 .. CLIENTS - 1) { its.name = nameOf(n) }
    awake = true
  }
  do
  :: d_step { !all(isKept) -> keep(); look() }
  /* No client is at work for longer than may be: those that have to stop do so before. */
  :: d_step { awake && all(isInTime) -> tick(); look() }
#ifdef TOKENS
  :: d_step { awake && fencing == reserved && reserved < MOST_TOKENS -> reserve() }
#endif
  /* Two records that are lost at once are lost one after the other, in no time. */
  :: d_step { awake && client[0].kept -> losePower(0); look() }
  :: d_step { awake && client[1].kept -> losePower(1); look() }
  :: d_step { awake && CLIENTS > 2 && client[2 % CLIENTS].kept -> losePower(2 % CLIENTS); look() }
  :: d_step { awake && CLIENTS > 3 && client[CLIENTS - 1].kept -> losePower(CLIENTS - 1); look() }
  :: d_step { awake -> crash(); look() }
  :: d_step { awake -> fallSilent(); look() }
  :: d_step { !awake && calm < TTL && all(isOrphaned) -> calm++; tick(); look() }
  :: d_step { !awake && calm == TTL -> mustNot(PERMITS_LOST, permitsInUse > 0) } break
  od
}
