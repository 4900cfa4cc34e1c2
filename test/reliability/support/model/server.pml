/* The server: src/server/machine. */

#ifdef TOKENS
#define hasToken (fencing < reserved)
#else
#define hasToken true
#endif
/* target.ts: what an Acquire finds. A resume finds nothing where there is no lease. */
#define grantable (my.lease == NEVER && my.phase != HOLDING && learning == 0 && permitsInUse < PERMITS && hasToken)
#define servable (my.lease == LIVE || grantable)

#ifdef ANSWERS_FIRST
#define answered STREAM_SAID
#else
#define answered (my.kept -> STREAM_SAID : STREAM_UNKEPT)
#endif

inline serverActs() {
  if
  :: d_step { my.call == STREAM_SENT && servable ->
      say("%c is granted its lease, or has it resumed\n");
      serve();
      nameValidity();
      my.call = answered;
      look()
    }
  :: d_step { my.stray == REQUEST && servable ->
      say("%c is granted its lease, or has it resumed, on a stream that it has lost\n");
      serve();
      my.stray = NO_STRAY;
      look()
    }
  :: d_step { my.stray == REQUEST_CANCEL && servable ->
      say("%c is granted its lease, or has it resumed, on a stream that it has cancelled\n");
      serve();
      my.stray = CANCEL;
      look()
    }
  :: d_step { my.stray == REQUEST || my.stray == REQUEST_CANCEL ->
      say("%c is not heard any more on its old stream\n");
      my.stray = NO_STRAY;
      look()
    }
  /* holding.ts, `leaveLease`: the connection is lost, or what the server takes for that. */
  :: d_step { my.streams > 0 ->
      say("%c is orphaned\n");
      closeStreams(_pid);
#ifdef FREES_ON_LOSS
      endLease(_pid);
#else
      startClock();
#endif
      look()
    }
#ifdef PROMISES
  /* A proxy in between resets the stream, over a connection that lives: its holder relies on the lease for all that it knows. */
  :: d_step { my.streams > 0 && my.stray == NO_STRAY ->
      say("%c has its stream reset by a proxy\n");
      my.stray = CANCEL;
      look()
    }
#endif
  /* The same: a cancel of the stream to which the lease is attached; it frees at once only on the stream of the grant. */
  :: d_step { my.stray == CANCEL ->
      say("%c is cancelled\n");
#ifdef ANY_STREAM_FREES
      endLease(_pid);
#elif defined(PROMISES) && !defined(RESET_FREES)
      /* liveness.ts, `outlivesStream`: the request has promised a Release. */
      closeStreams(_pid);
      startClock();
#else
      if
      :: my.first -> endLease(_pid)
      :: else -> closeStreams(_pid); startClock()
      fi;
#endif
      look()
    }
  /* holding.ts, `renew`. */
  :: d_step { my.call == RENEW_SENT && my.lease == LIVE ->
      say("%c is renewed\n");
      startClock();
      nameValidity();
      my.call = RENEW_SAID;
      look()
    }
#ifdef OLD_SERVER
  :: d_step { my.call == RENEW_SENT && oldServer ->
      say("%c is renewed by the old server\n");
      my.call = RENEW_SAID;
      look()
    }
#endif
  :: d_step { awake && my.phase == STOPPED && my.lease == LIVE ->
      say("%c is released\n");
      endLease(_pid);
#ifdef DOUBLE_RELEASE
      my.good = 1;
#endif
      look()
    }
#ifdef DOUBLE_RELEASE
  /* The same Release has arrived once more. */
  :: d_step { awake && my.phase == STOPPED && my.good > 0 && permitsInUse > 0 ->
      say("%c is released again\n");
      my.good = 0;
      permitsInUse--;
      look()
    }
#endif
#ifdef REVOKE
  :: d_step { awake && my.lease == LIVE && !my.revoked ->
      say("%c is asked for its lease\n");
      my.revoked = true;
      my.clock = (my.clock == 0 -> TTL : my.clock);
      look()
    }
#endif
  fi
}

/* grant.ts; acquire.ts, `attach`: a newer stream takes the lease from an older one. */
inline serve() {
  if
  :: my.lease == NEVER ->
    my.lease = LIVE;
    permitsInUse++;
    my.first = true;
    takeToken()
  :: else ->
#ifdef TWO_STREAMS
    skip
#else
    closeStreams(_pid)
#endif
  fi;
  my.streams++;
  startClock()
}

inline closeStreams(i) {
  client[i].streams = 0;
  client[i].first = false;
  client[i].stray = (client[i].stray == CANCEL -> NO_STRAY : client[i].stray)
}

/* grant.ts, `startClock`. */
inline startClock() {
  if
  :: my.revoked
#ifdef PROMISES
  /* liveness.ts, `outlivesSilence`: behind a proxy an open stream shows no life, only renewals do. */
  :: !my.revoked -> my.clock = TTL
#else
  :: !my.revoked && my.streams == 0 -> my.clock = TTL
  :: !my.revoked && my.streams > 0 -> my.clock = 0
#endif
  fi
}

/* lease-wire.ts, `validFor`: less than half a ttl where the end of a lease that is being revoked comes sooner. */
inline nameValidity() {
#ifdef REVOKE
#ifdef TO_ITS_END
#define until my.clock
#else
#define until (my.clock > TTL - VALIDITY -> my.clock - (TTL - VALIDITY) : 0)
#endif
  if
  :: my.revoked && until < VALIDITY ->
    my.good = (my.good > VALIDITY - until -> my.good - (VALIDITY - until) : 0)
  :: else
  fi
#else
  skip
#endif
}

/* ending.ts. */
inline endLease(i) {
  assert(client[i].lease == LIVE);
  client[i].lease = ENDED;
  client[i].clock = 0;
  client[i].revoked = false;
  permitsInUse--;
  closeStreams(i)
}

inline takeToken() {
#ifdef TOKENS
  fencing++;
  mustNot(TOKEN_NOT_HIGHER, fencing <= highest);
#ifdef TOKENS_ANEW
  my.token = fencing;
#endif
  highest = fencing
#else
  skip
#endif
}
