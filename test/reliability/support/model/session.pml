/*
 * A session, for spin: one client that holds two leases of two permits and waits for a third over one stream, and a rival that waits
 * behind it. Everything of the client's shares one stream, one sign of life and one resume.
 *
 * The client has promised to renew (`keep_on_cancel`), so leases run out unless it shows life, stream or not. Time goes by ticks that
 * all share: a lease lives for TTL of them after the last sign of life, the client relies on it for half as many, from when it sent what
 * was confirmed, and is late by LATE at most. What is lost is a message that is never delivered; a stream on which the client has turned
 * its back may still have a command under way, and its end, which come late. Crashes, losses and rounds go on for ever.
 *
 * Each step is one indivisible transition. `variants.ts` has the switches, each a bug.
 */

#define TTL 4
#define VALIDITY 2
#define LATE 1
#define PERMITS 2
#define HELD 3

mtype = { TOO_MANY_AT_WORK, TOO_MANY_LEASES, LEASE_LOST, LEASE_UNKNOWN, OVERTAKEN, PERMITS_LOST };
#ifdef CHECKS
#define checks(fault) (CHECKS == fault)
#else
#define checks(fault) true
#endif
inline mustNot(fault, found) {
  if
  :: checks(fault) && (found) -> printf("broken: %e\n", fault); assert(false)
  :: else
  fi
}

/* Which stream of the client's the server has: that which the client uses, one on which it has turned its back, none. */
#define NONE 0
#define CURRENT 1
#define OLD 2
/* The waiter: the third request. */
#define UNASKED 0
#define PRESENT 1
#define AWAY 2
#define SERVED 3
/* What the client waits for. */
#define NO_CALL 0
#define RENEW_SENT 1
#define RENEW_SAID 2
#define RESUME_SENT 3
#define RESUME_SAID 4

/* What the server knows. The third lease is that of the waiter. */
bit live[HELD];
byte clock[HELD];
unsigned stream : 2;
unsigned waiter : 2;
/* Ticks for which the place of a waiter that is away is kept. */
unsigned place : 3;
/* Whether the waiter stands before the rival. */
bit isBefore;
bit rival;

/* What the client knows: under which leases it works, and which a resume has listed. */
bit relied[HELD];
bit listed[HELD];
unsigned left : 3;
unsigned call : 3;
unsigned good : 3;
/* On their way over the stream on which the client has turned its back. */
bit oldCommand;
bit oldEnd;

bit awake;
unsigned calm : 3;
byte n, working, living;

#define atWork(i) (relied[i] && left > 0)
#define freePermit (live[0] + live[1] + live[2] + rival < PERMITS)
#define isKnown (live[0] || live[1] || live[2] || waiter == AWAY || waiter == PRESENT)

inline look() {
  working = atWork(0) + atWork(1) + atWork(2) + rival;
  living = live[0] + live[1] + live[2] + rival;
  mustNot(TOO_MANY_AT_WORK, working > PERMITS);
  mustNot(TOO_MANY_LEASES, living > PERMITS);
  /* What the session has and a client that renews cannot know of would be renewed with it for ever. */
  mustNot(LEASE_UNKNOWN, left > LATE && stream == CURRENT && call == NO_CALL && live[2] && !relied[2] && waiter == UNASKED);
  working = 0;
  living = 0
}

/* session.ts: one number for all. */
inline showLife() {
  for (n : 0 .. HELD - 1) {
#ifdef RENEWS_ONE
    clock[n] = (live[n] && n == 0 -> TTL : clock[n]);
#else
    clock[n] = (live[n] -> TTL : clock[n]);
#endif
  }
  n = 0
}

inline endLease(i) {
  live[i] = false;
  clock[i] = 0
}

/* session-commands.ts, `leaveSession`: its stream is gone. */
inline leave() {
  stream = NONE;
#ifdef NO_DEADLINE
  for (n : 0 .. HELD - 1) { clock[n] = 0 }
#else
  for (n : 0 .. HELD - 1) { clock[n] = (live[n] -> TTL : 0) }
#endif
  n = 0;
  if
  :: waiter == PRESENT -> waiter = AWAY; place = TTL
  :: else
  fi
}

inline stopWork() {
  for (n : 0 .. HELD - 1) { relied[n] = false }
  n = 0;
  left = 0
}

inline client() {
  if
  :: d_step { awake && stream == CURRENT && call == NO_CALL && left > LATE ->
      printf("the client renews\n"); call = RENEW_SENT; good = VALIDITY; look()
    }
  :: d_step { call == RENEW_SAID ->
      printf("the client hears that all is renewed\n");
      left = (good > 0 && left > LATE && good + LATE > left -> good + LATE : left); call = NO_CALL; good = 0; look()
    }
  :: d_step { awake && call != RESUME_SENT && call != RESUME_SAID ->
      printf("the client has lost its stream, and resumes\n");
      oldCommand = (stream == CURRENT); oldEnd = (stream == CURRENT);
      stream = (stream == CURRENT -> OLD : stream); call = RESUME_SENT; good = VALIDITY; look()
    }
  :: d_step { call == RESUME_SAID ->
      printf("the client hears what lives still\n");
      for (n : 0 .. HELD - 1) {
        mustNot(LEASE_LOST, live[n] && !listed[n] && clock[n] == TTL && good == VALIDITY);
        relied[n] = (left > LATE && listed[n] && relied[n] || listed[n] && good > 0)
      }
      n = 0;
      left = (good > 0 && good + LATE > left -> good + LATE : left); call = NO_CALL; good = 0; look()
    }
  :: d_step { awake && stream == CURRENT && call == NO_CALL && (waiter == UNASKED && !live[2] || waiter == AWAY) ->
      printf("the client asks for a third lease, under one request id\n");
      isBefore = (waiter == UNASKED -> !rival : isBefore); waiter = PRESENT; place = 0; look()
    }
  :: d_step { awake && stream == CURRENT && call == NO_CALL && waiter == SERVED ->
      printf("the client hears of its third lease, and works\n"); waiter = UNASKED; relied[2] = live[2] && left > LATE; look()
    }
  :: d_step { awake && stream == CURRENT && call == NO_CALL && relied[0] -> printf("the client releases its first lease\n"); relied[0] = false; endLease(0); look() }
  :: d_step { awake && stream == CURRENT && call == NO_CALL && relied[2] -> printf("the client releases its third lease\n"); relied[2] = false; endLease(2); look() }
  fi
}

inline server() {
  if
  :: d_step { call == RENEW_SENT && stream == CURRENT -> printf("the session is renewed\n"); showLife(); call = RENEW_SAID; look() }
  :: d_step { call == RESUME_SENT && isKnown ->
      printf("the session is taken up again\n");
      if
      :: stream != NONE && waiter == PRESENT -> waiter = AWAY; place = TTL
      :: else
      fi;
      stream = CURRENT; showLife();
#ifdef LISTS_ONE
      for (n : 0 .. HELD - 1) { listed[n] = live[n] && n != 1 }
#else
      for (n : 0 .. HELD - 1) { listed[n] = live[n] }
#endif
      n = 0;
      waiter = (waiter == SERVED -> UNASKED : waiter);
      call = RESUME_SAID; look()
    }
  :: d_step { call == RESUME_SENT && !isKnown ->
      printf("nothing is left of the session: the client opens another\n"); stopWork(); call = NO_CALL; good = 0; stream = CURRENT; look()
    }
  :: d_step { stream != NONE -> printf("the stream of the session is lost\n"); leave(); look() }
  /* The end of the stream before: it is the session's no more. */
  :: d_step { oldEnd ->
      printf("the stream before has ended\n"); oldEnd = false;
#ifdef ANY_STREAM_FREES
      endLease(0); endLease(1); endLease(2);
#endif
      if
      :: stream == OLD -> leave()
      :: else
      fi;
      look()
    }
  :: d_step { oldCommand ->
      printf("a command comes over the stream before\n"); oldCommand = false;
      if
#ifdef OLD_STREAM_SERVED
      :: freePermit && !live[2] && waiter == UNASKED -> live[2] = true; clock[2] = TTL
      :: !freePermit || live[2] || waiter != UNASKED
#else
      :: stream == OLD && freePermit && !live[2] && waiter == UNASKED -> live[2] = true; clock[2] = TTL
      :: stream != OLD || !freePermit || live[2] || waiter != UNASKED
#endif
      fi;
      look()
    }
  :: d_step { waiter == PRESENT && freePermit && !live[2] ->
      printf("the waiter is served\n"); waiter = SERVED; live[2] = true; clock[2] = TTL; look()
    }
#ifdef PLACE_LOST
  :: d_step { !rival && freePermit -> printf("the rival is served\n"); mustNot(OVERTAKEN, waiter == PRESENT && isBefore); rival = true; look() }
#else
  :: d_step { !rival && freePermit && waiter != PRESENT -> printf("the rival is served\n"); rival = true; look() }
#endif
  :: d_step { rival -> printf("the rival releases\n"); rival = false; look() }
  fi
}

inline tick() {
  printf("- a tick\n");
  good = (good > 0 -> good - 1 : 0);
  left = (left > 0 -> left - 1 : 0);
  place = (place > 0 -> place - 1 : 0);
  waiter = (waiter == AWAY && place == 0 -> UNASKED : waiter);
  for (n : 0 .. HELD - 1) {
    if
    :: clock[n] > 1 -> clock[n]--
    :: clock[n] == 1 -> endLease(n)
    :: else
    fi
  }
  n = 0
}

/* restore.ts: leases and waiters name their session, which is away. */
inline crash() {
  printf("the server crashes, and is started anew\n");
#ifdef FREES_ON_RESTART
  endLease(0); endLease(1); endLease(2);
#endif
  leave();
  waiter = (waiter == SERVED -> UNASKED : waiter);
  call = (call == RENEW_SENT || call == RENEW_SAID -> NO_CALL : call);
  call = (call == RESUME_SAID -> RESUME_SENT : call);
  good = (call == NO_CALL -> 0 : good)
}

active proctype session() {
  d_step {
    live[0] = true; live[1] = true; clock[0] = TTL; clock[1] = TTL;
    relied[0] = true; relied[1] = true; left = VALIDITY + LATE;
    stream = CURRENT; awake = true
  }
  do
  :: client()
  :: server()
  /* A client that has run out stops before the next tick. */
  :: d_step { awake -> tick(); if :: left == 0 -> stopWork() :: else fi; look() }
  :: d_step { awake -> crash(); look() }
  :: d_step { awake ->
      printf("the client falls silent\n"); awake = false; stopWork(); call = NO_CALL; good = 0; oldCommand = false; oldEnd = false;
      leave(); waiter = (waiter == PRESENT || waiter == SERVED -> UNASKED : waiter); place = 0; look()
    }
  :: d_step { !awake && calm < TTL && stream == NONE -> calm++; tick(); look() }
  :: d_step { !awake && calm == TTL -> mustNot(PERMITS_LOST, live[0] || live[1] || live[2]) } break
  od
}
