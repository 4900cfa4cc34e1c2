/* The client: src/client. */

#define relies (my.phase == HOLDING && my.left > LATE)
#ifdef FROM_RECEIPT
#define proven true
#else
#define proven (my.good > 0)
#endif

inline clientActs() {
  if
  /* acquire.ts, ask-again.ts: under one request id, until there is an answer. */
  :: d_step { awake && my.phase == IDLE ->
      say("%c asks\n");
      my.phase = ASKING;
      send(STREAM_SENT);
      look()
    }
  :: d_step { my.phase == ASKING ->
      say("%c has lost its connection, and asks again\n");
      loseStream();
      send(STREAM_SENT);
      look()
    }
  :: d_step { (my.phase == ASKING || my.phase == CONFIRMING) && my.stray == NO_STRAY ->
      say("%c hears nothing, cancels, and asks again\n");
      cancelStream();
      my.phase = ASKING;
      send(STREAM_SENT);
      look()
    }
  :: d_step { my.phase == ASKING || my.phase == CONFIRMING ->
      say("%c loses interest, and cancels\n");
      cancelStream();
      stop();
      look()
    }
  /* ask.ts, `hear`: a grant to a request that was sent long ago proves nothing. */
  :: d_step { my.phase == ASKING && my.call == STREAM_SAID && proven ->
      say("%c hears of its grant, and works\n");
      rely();
      look()
    }
  :: d_step { my.phase == ASKING && my.call == STREAM_SAID && !proven ->
      say("%c hears of its grant too late, and has it confirmed\n");
      my.phase = CONFIRMING;
      send(RENEW_SENT);
      look()
    }
  :: d_step { my.phase == CONFIRMING && my.call == RENEW_SAID && proven ->
      say("%c hears that its grant stands, and works\n");
      rely();
      look()
    }
  /* renewer.ts: what is not answered in time is asked anew. */
  :: d_step { relies && (my.call == NO_CALL || my.call == RENEW_SENT) ->
      say("%c renews\n");
      send(RENEW_SENT);
      look()
    }
  /* attachment.ts, `reattach`: one attempt at a time, none of them cancelled. */
  :: d_step { relies ->
      say("%c has lost its connection, and resumes\n");
      loseStream();
      send(STREAM_SENT);
      look()
    }
  /* reliance.ts, `renewed`: no answer saves a client that has run out by its clocks. */
  :: d_step { relies && (my.call == STREAM_SAID || my.call == RENEW_SAID) ->
      say("%c hears that its lease stands\n");
      rely();
      look()
    }
  /* holding.ts, `release` and `#ranOut`: the Release is on its way from here on, and may arrive more than once. */
  :: d_step { my.phase == HOLDING ->
      say("%c stops, and releases\n");
      loseStream();
      stop();
      look()
    }
  /* What is still on its way will come to nothing. */
  :: d_step { awake && my.phase == STOPPED && my.lease != LIVE && !my.kept ->
      say("%c is done\n");
      my.phase = IDLE;
      my.stray = NO_STRAY;
      my.lease = NEVER;
      look()
    }
  fi
}

inline send(what) {
  my.call = what;
  my.good = VALIDITY
}

/* Its connection is lost, as far as the client can see; the request may arrive all the same. */
inline loseStream() {
  if
  :: my.stray == NO_STRAY && my.call == STREAM_SENT -> my.stray = REQUEST
  :: else
  fi
}

/* call-stream.ts, `cut`: the cancel follows the request, over a connection that lives. */
inline cancelStream() {
  if
  :: my.stray == NO_STRAY && my.call == STREAM_SENT -> my.stray = REQUEST_CANCEL
  :: my.stray == NO_STRAY && my.call != STREAM_SENT && my.streams > 0 -> my.stray = CANCEL
  :: else
  fi
}

/* validity.ts: what was confirmed is good from when the request was sent; of two confirmations the longer counts. */
inline rely() {
#ifdef FROM_RECEIPT
  my.good = VALIDITY;
#endif
  my.left = (my.good + LATE > my.left -> my.good + LATE : my.left);
  my.phase = HOLDING;
  my.call = NO_CALL;
  my.good = 0
}

inline stop() {
  my.phase = STOPPED;
  my.call = NO_CALL;
  my.good = 0;
  my.left = 0
}
