/* The order everything rests on: seal before COMMIT, outcome, gate, and death at any step.
 *
 * What is modelled: three applications, each with one transaction that changes the same row under a
 * row lock; the server, which alone decides whether a COMMIT took effect; the ring, in claim order;
 * the consumer with the replayer behind it, which applies in ring order what has a known outcome; and
 * an aligner that copies production under the closed gate. A change is "append your number", so that
 * a lost, doubled or misplaced change shows in the final value whatever comes after it.
 *
 * What is checked when all is over: the shadow equals production; and so does the copy made under the
 * gate plus the records behind its marker.
 *
 * -DSEAL_BEHIND_COMMIT claims the place in the ring after COMMIT returned: spin must find that wrong.
 * Names are those of journal/ring.h and journal/gate.h.
 */

#define PRODUCERS 3
#define ENTRIES (PRODUCERS + 1)       /* one record each, and the marker */
#define MARKER PRODUCERS
#define NOBODY 255

#define append(database, number) database = database * 4 + number + 1

mtype = { none, claimed, prepared };                      /* a record */
mtype = { running, sent, committed, rolled_back };        /* a transaction, as the server knows it */

/* the server */
byte production = 0;
byte row_lock = NOBODY;
mtype truth[PRODUCERS] = running;

/* shared memory */
mtype record[ENTRIES] = none;
byte owner[ENTRIES];
byte tail = 0;
bool gate = false;                    /* true: closed; one alignment, so the token is implied */
bool in_flight[PRODUCERS];
bool outcome_recorded[PRODUCERS];

/* the operating system */
bool dead[PRODUCERS];
bool finished[PRODUCERS];

byte shadow = 0;
byte aligned = 0;                     /* the copy, then the copy and what follows the marker */
bool alignment_valid = false;
bool alignment_over = false;
bool replay_over = false;

#define die dead[me] = true; goto gone

#define may_die if :: die :: skip fi

inline seal() {
  atomic {
    place = tail; tail++;
    owner[place] = me;
    record[place] = claimed
  }
  may_die;
  record[place] = prepared
}

inline enter_gate() {
  do
  :: in_flight[me] = true;
     if
     :: !gate -> break
     :: else ->
        in_flight[me] = false;
        if
        :: !gate -> skip
        :: gate = false                /* its deadline has passed: a waiter opens it */
        fi
     fi
  od
}

inline send_commit() {
  truth[me] = sent;
  may_die;
  (truth[me] == committed || truth[me] == rolled_back)
}

active [PRODUCERS] proctype Application() {
  byte me = _pid;
  byte place;

  atomic { row_lock == NOBODY -> row_lock = me }    /* the modifying statement returns */
  may_die;
  enter_gate();
  may_die;
#ifdef SEAL_BEHIND_COMMIT
  send_commit();
  may_die;
  seal();
#else
  seal();
  may_die;
  send_commit();
  may_die;
#endif
  atomic { outcome_recorded[me] = true; in_flight[me] = false };
gone:
  atomic { place = 0; finished[me] = true }   /* locals are part of the state: cleared when done with */
}

/* One transaction at a time can hold the lock, so only one COMMIT can be under way. The server acts on
 * what arrived even if the sender is dead by then; it may also refuse a COMMIT. It ends the transaction
 * of a client that is gone unless its COMMIT has arrived. */
active proctype Server() {
  byte i;
end:
  do
  :: atomic {
       row_lock != NOBODY && truth[row_lock] == sent -> i = row_lock;
       if
       :: append(production, i); truth[i] = committed
       :: truth[i] = rolled_back
       fi;
       row_lock = NOBODY; i = 0
     }
  :: atomic {
       row_lock != NOBODY && dead[row_lock] && truth[row_lock] == running -> i = row_lock;
       truth[i] = rolled_back;
       row_lock = NOBODY; i = 0
     }
  od
}

#define final(i) (truth[i] == committed || truth[i] == rolled_back)

/* No live session is in flight, and of the dead ones the server has told how they ended. */
#define clear(i) (!in_flight[i] || (dead[i] && final(i)))

active proctype Aligner() {
  byte copy;
  byte i;
  gate = true;
  do
  :: i < PRODUCERS && clear(i) -> i++
  :: i == PRODUCERS -> break
  :: !gate -> goto over                 /* opened by a waiter: given up */
  od;
  copy = production;
  atomic { record[tail] = prepared; owner[tail] = MARKER; tail++ };
  atomic {
    if
    :: gate -> gate = false; alignment_valid = true; aligned = copy
    :: else -> skip                     /* opened by a waiter: what was done is void */
    fi
  }
over:
  atomic { copy = 0; i = 0; alignment_over = true }
}

#define all_finished (finished[0] && finished[1] && finished[2])
#define resolved(i) (outcome_recorded[i] || (dead[i] && final(i)))

active proctype Consumer() {
  byte head = 0;
  byte behind_marker = 0;
  byte who;
  /* Nobody looks at what the consumer does, so it loses no behaviour by starting when it is known
   * whether the marker counts. */
  alignment_over -> skip;
  do
  :: head < tail ->
     who = owner[head];
     if
     :: who == MARKER -> behind_marker = 1
     :: else ->
        /* claimed by the dead: COMMIT was never sent; prepared: wait for the outcome */
        if
        :: record[head] == claimed && dead[who]
        :: record[head] == prepared && resolved(who) ->
           if
           :: truth[who] == committed ->
              atomic {
                append(shadow, who);
                if
                :: behind_marker && alignment_valid -> append(aligned, who)
                :: else -> skip
                fi
              }
           :: else -> skip
           fi
        fi
     fi;
     head++
  :: head == tail && all_finished && alignment_over && head == tail -> break
  od;
  /* A transaction whose process died with COMMIT on its way ends at the server in its own time. */
  row_lock == NOBODY -> skip;
  assert(shadow == production);
  assert(!alignment_valid || aligned == production);
  replay_over = true
}
