/* The disk, time, and what fails. */

/* store/keeper.ts, engine/embedded/delivery.ts: one commit for all that has changed, then the answers that waited for it. */
inline keep() {
  printf("the disk has it all\n");
  for (n : 0 .. CLIENTS - 1) {
    its.kept = (its.lease == LIVE);
    its.call = (its.call == STREAM_UNKEPT -> STREAM_SAID : its.call)
  }
}

inline tick() {
  printf("- a tick\n");
  for (n : 0 .. CLIENTS - 1) {
    its.good = (its.good > 0 -> its.good - 1 : 0);
    its.left = (its.left > 0 -> its.left - 1 : 0);
    /* settle.ts: what has fallen due ends before anything else is done. */
    if
    :: its.clock > 1 -> its.clock--
    :: its.clock == 1 -> endLease(n)
    :: else
    fi
  }
  learning = (learning > 0 -> learning - 1 : 0)
}

#ifdef FORGETS
#define survives(i, lost) false
#else
#define survives(i, lost) (client[i].kept && i != lost)
#endif

/* `kill -9`, or out of memory; a start in the midst of learning begins that anew. */
inline crash() {
  printf("the server crashes, and is started anew\n");
  restart(CLIENTS);
  if
  :: learning > 0 -> learn()
  :: else
  fi
}

/* The record of one was not on disk yet. */
inline losePower(i) {
  printf("the machine loses its power, and the record of %c; the server is started anew\n", 65 + client[i].name);
  restart(i);
  learn()
}

/* restore.ts. `lost`: whose record is not there; CLIENTS: none's. */
inline restart(lost) {
  permitsInUse = 0;
  for (n : 0 .. CLIENTS - 1) {
    closeStreams(n);
    its.clock = 0;
    /* No client has heard of it, so it is as if it had not been asked. */
    its.call = (its.call == STREAM_UNKEPT -> STREAM_SENT : its.call);
    if
    :: survives(n, lost) ->
      its.lease = LIVE;
      permitsInUse++;
#ifndef NO_DEADLINE
      its.clock = TTL
#endif
    :: else ->
      if
      /* Its grant is known to no client: the same request may be granted anew. */
      :: (its.lease == LIVE || its.kept) && its.phase == ASKING && its.call == STREAM_SENT -> its.lease = NEVER
      :: (its.lease == LIVE || its.kept) && !(its.phase == ASKING && its.call == STREAM_SENT) -> its.lease = ENDED
      :: else
      fi;
      its.revoked = false;
      its.kept = false
    fi
  }
  startTokens();
#ifdef OLD_SERVER
  oldServer = true;
#endif
  spare = 0
}

/* store/durable-store.ts, `incompleteFor`. */
inline learn() {
#ifdef NO_LEARNING
  skip
#else
  learning = TTL
#endif
}

/* store/token-reserve.ts. */
inline startTokens() {
#ifdef TOKENS
#ifdef TOKENS_ANEW
  fencing = 0;
  for (n : 0 .. CLIENTS - 1) {
    fencing = (its.kept && its.token > fencing -> its.token : fencing)
  }
#else
  fencing = reserved
#endif
#else
  skip
#endif
}

inline reserve() {
  printf("the disk has reserved tokens\n");
  reserved = reserved + BLOCK
}

/* Whatever was on its way is lost. */
inline fallSilent() {
  printf("all fall silent\n");
  awake = false;
  learning = 0;
  for (n : 0 .. CLIENTS - 1) {
    its.lease = (its.lease == LIVE || its.kept -> its.lease : NEVER);
    its.phase = (its.lease == NEVER -> IDLE : STOPPED);
    its.call = NO_CALL;
    its.good = 0;
    its.left = 0;
    its.stray = NO_STRAY
  }
}
