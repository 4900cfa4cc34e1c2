/*
 * What must hold after each step. Then states that differ in nothing that matters are made one, which a world that is small
 * enough does without (PLAIN), and a world with a bug must: what does not matter is said of the program as it should be.
 */

inline mustNot(fault, found) {
  if
  :: checks(fault) && (found) -> printf("broken: %e\n", fault); assert(false)
  :: else
  fi
}

inline look() {
  for (n : 0 .. CLIENTS - 1) {
    working = working + (its.phase == HOLDING);
    living = living + (its.lease == LIVE);
    mustNot(SECOND_STREAM, its.streams > 1)
  }
  mustNot(TOO_MANY_AT_WORK, working > PERMITS);
  mustNot(TOO_MANY_LEASES, living > PERMITS || living != permitsInUse);
#ifndef PLAIN
  simplify();
  keepOrder();
#endif
  n = 0;
  other = 0;
  spare = 0;
  working = 0;
  living = 0
}

#define willBeRefused (its.call == STREAM_SENT || its.call == RENEW_SENT)

/* What can make no difference any more is forgotten, so that what differs by nothing else is looked at once. */
inline simplify() {
  for (n : 0 .. CLIENTS - 1) {
    /* An answer that proves no more than is known, or comes to a client that has run out. */
    if
    :: its.phase == HOLDING && (its.call == STREAM_SAID || its.call == RENEW_SAID) && (its.good + LATE <= its.left || its.left <= LATE) ->
      its.call = NO_CALL;
      its.good = 0
    :: else
    fi;
    its.good = (its.phase == HOLDING && its.left <= LATE -> 0 : its.good);
    /* The lease has ended, and no restart brings it back. */
    if
    :: its.lease == ENDED && !its.kept ->
      its.stray = NO_STRAY;
      its.good = (willBeRefused -> 0 : its.good);
      its.call = (willBeRefused -> NO_CALL : its.call)
    :: else
    fi;
    if
    :: awake && its.phase == STOPPED && its.lease != LIVE && !its.kept && its.stray == NO_STRAY ->
      its.phase = IDLE;
      its.lease = NEVER
    :: else
    fi
  }
}

/* Clients are alike, so they are kept in an order: what differs by their names alone is looked at once. */
#define later(field, rest) (its.field > client[other].field || (its.field == client[other].field && rest))
#define isLater later(phase, later(lease, later(call, later(clock, later(left, later(good, later(stray, later(streams, later(first, later(kept, later(revoked, false)))))))))))
#define exchange(field) spare = its.field; its.field = client[other].field; client[other].field = spare

inline keepOrder() {
  for (n : 0 .. CLIENTS - 2) {
    for (other : n + 1 .. CLIENTS - 1) {
      if
      :: isLater ->
        exchange(phase);
        exchange(call);
        exchange(good);
        exchange(left);
        exchange(stray);
        exchange(lease);
        exchange(streams);
        exchange(first);
        exchange(clock);
        exchange(revoked);
        exchange(kept);
        exchange(name)
      :: else
      fi
    }
  }
}
