/* What there is to know of the world at one instant. */

/* What may be broken; CHECKS names the one that is looked for, if not all are. */
mtype = { TOO_MANY_AT_WORK, TOO_MANY_LEASES, SECOND_STREAM, TOKEN_NOT_HIGHER, PERMITS_LOST };
#ifdef CHECKS
#define checks(fault) (CHECKS == fault)
#else
#define checks(fault) true
#endif

/* phase */
#define IDLE 0
#define ASKING 1
#define CONFIRMING 2
#define HOLDING 3
#define STOPPED 4

/* call: what the client waits for, a stream (Acquire, or resume) or a Renew. */
#define NO_CALL 0
#define STREAM_SENT 1
/* Answered, once the disk has what is answered. */
#define STREAM_UNKEPT 2
#define STREAM_SAID 3
#define RENEW_SENT 4
#define RENEW_SAID 5

/* stray: what is on its way of a stream on which the client has turned its back. */
#define NO_STRAY 0
#define REQUEST 1
#define REQUEST_CANCEL 2
/* Of the stream that the server has open. */
#define CANCEL 3

/* lease */
#define NEVER 0
#define LIVE 1
#define ENDED 2

typedef Client {
  unsigned phase : 3;
  unsigned call : 3;
  /* Ticks for which an answer to the call can be relied on. */
  unsigned good : 3;
  /* Ticks until a holder has stopped at the latest. */
  unsigned left : 3;
  unsigned stray : 2;

  /* What the server knows of it. */
  unsigned lease : 2;
  /* How many streams the lease has; 0: it is orphaned. */
  unsigned streams : 2;
  /* Whether its stream is the one that it was granted on. */
  bit first;
  /* Ticks until it expires; 0: it does not. */
  unsigned clock : 3;
  bit revoked;
  /* Whether its record is on disk. */
  bit kept;
  unsigned token : 4;

  /* 0 while all orders are looked at. */
  unsigned name : 2
}

Client client[CLIENTS];
byte permitsInUse;
/* Ticks for which nothing is granted. */
byte learning;
/* Whether clients do anything; and the ticks since the last loss was noticed, after they have fallen silent. */
bit awake;
byte calm;

#ifdef OLD_SERVER
bit oldServer;
#endif

#ifdef TOKENS
/* Tokens are absolute numbers here, so these bound the grants. */
#define BLOCK 2
#ifndef MOST_TOKENS
#define MOST_TOKENS 8
#endif
byte fencing;
byte reserved;
byte highest;
#endif

#ifdef TRAIL
#define nameOf(i) i
#else
#define nameOf(i) 0
#endif

/* Scratch, 0 between steps. */
byte n, other, spare, working, living;

#define my client[_pid]
#define its client[n]
#define say(what) printf(what, 65 + my.name)
