/* Cutover and reverse: which side is in use, when every process may die at any step.
 *
 * What is modelled: two sessions that change the same row, each transaction on the side that the
 * mode word tells; a replayer that applies the ring in order to the other side and turns the
 * migration around, there and back, with a hold whose deadline may pass at any moment; its state
 * file, which alone decides; journald, which ends a turn whose replayer has died; and a replayer
 * that begins again. The deadline of a hold may have passed whenever somebody looks. A change is "append your number", so that a lost, doubled or misplaced change
 * shows in the final value whatever comes after it.
 *
 * What is checked: nothing is committed on a side that the state file does not name; when all is
 * over both sides are equal; and nobody waits for ever.
 *
 * -DLOOK_BEFORE_MARK lets a session mark itself without looking at the mode once more;
 * -DOPEN_BEFORE_DISK lets the sessions go before the decision is on disk: spin must find both wrong.
 * Names are those of journal/gate.h, journal/abandoned.h and replayer/migration/cutover.cpp.
 */

#define SESSIONS 2
#define TRANSACTIONS 2                /* of the first session; the other has one */
#define ENTRIES (TRANSACTIONS + 1)
#define TURNS 2                       /* holds that are begun */
#define DEATHS 1                      /* of the replayer; and of a session */
#define NOBODY 255

#define PRODUCTION 0
#define SHADOW 1
#define other(side) (1 - side)

mtype = { record, hold, switching, switched, hold_back, returning };       /* the mode */
mtype = { open, sent, committed, rolled_back };                            /* a transaction */

#define shadow_in_use(m) (m == switched || m == hold_back || m == returning)
#define being_decided(m) (m == switching || m == returning)
#define held(m) (m == hold || m == hold_back || being_decided(m))

/* the two databases */
short data[2];
byte row_lock[2] = NOBODY;            /* a session */
mtype truth[ENTRIES] = open;
byte transaction_of[SESSIONS];        /* the one that is under way */

/* shared memory */
mtype mode = record;
byte epoch;                           /* with the mode the word that is compared and swapped */
bool writing[SESSIONS];
byte entry[ENTRIES];                  /* the ring: transactions in the order of their seals */
bool side_of[ENTRIES];                /* by transaction: where it was done */
bool outcome_recorded[ENTRIES];
byte tail;
byte applied;                         /* the position on the target, written with the data */

/* disk */
bool in_use = PRODUCTION;             /* what the state file says */

/* the operating system */
bool dead[SESSIONS];
byte finished;                        /* sessions */
bool one_died;                         /* a session */
bool replayer_alive = true;
bool turns_over;

#define final(t) (truth[t] == committed || truth[t] == rolled_back)
#define append(side, t) data[side] = data[side] * (ENTRIES + 1) + t + 1

inline change_mode(from_epoch, next, done) {
  atomic {
    done = (epoch == from_epoch);
    if
    :: done -> mode = next; epoch++
    :: else -> skip
    fi
  }
}

#define let_go(m) (shadow_in_use(m) -> switched : record)

inline begin_write() {
  do
  :: atomic { seen = mode; seen_epoch = epoch };
#ifdef LOOK_BEFORE_MARK
     if
     :: !held(seen) && shadow_in_use(seen) == route -> writing[me] = true; break
     :: else -> skip
     fi;
#endif
     writing[me] = true;
     if
     :: epoch != seen_epoch -> skip
     :: else ->
        if
        :: !held(seen) && shadow_in_use(seen) == route -> break
        :: else ->
           writing[me] = false;
           if
           :: !held(seen) -> route = other(route)
           :: held(seen) ->
              if
              :: epoch != seen_epoch -> skip
              :: !being_decided(seen) -> change_mode(seen_epoch, let_go(seen), swapped)
              fi
           fi
        fi
     fi
  od
}

#define session_may_die \
  if \
  :: atomic { !one_died -> one_died = true; dead[me] = true; goto over } \
  :: skip \
  fi

active [SESSIONS] proctype Session() {
  byte me = _pid;
  bool route = PRODUCTION;
  byte t = me * TRANSACTIONS;
  mtype seen;
  byte seen_epoch;
  bool swapped;

  do
  :: t == TRANSACTIONS && me == 0 || t == ENTRIES -> break
  :: else ->
     begin_write();
     atomic {
       row_lock[route] == NOBODY -> row_lock[route] = me;
       transaction_of[me] = t; seen_epoch = 0; swapped = false; seen = 0
     };
     session_may_die;
     atomic { side_of[t] = route; entry[tail] = t; tail++ };      /* the seal */
     session_may_die;
     truth[t] = sent;
     session_may_die;
     atomic { final(t) -> outcome_recorded[t] = true };
     atomic { writing[me] = false; t++ }
  od;
over:
  atomic { finished++; t = 0; route = 0; seen_epoch = 0; swapped = false; seen = 0 }
}

#define serve(side) \
  row_lock[side] != NOBODY && truth[transaction_of[row_lock[side]]] == sent -> \
    assert(in_use == side); \
    append(side, transaction_of[row_lock[side]]); \
    truth[transaction_of[row_lock[side]]] = committed; row_lock[side] = NOBODY
#define give_up_dead(side) \
  row_lock[side] != NOBODY && dead[row_lock[side]] && \
      truth[transaction_of[row_lock[side]]] == open -> \
    truth[transaction_of[row_lock[side]]] = rolled_back; row_lock[side] = NOBODY

/* Both: a COMMIT that has arrived is carried out, also when its sender is dead by then; the
 * transaction of a session that is gone is ended. */
active proctype Servers() {
end:
  do
  :: atomic { serve(PRODUCTION) }
  :: atomic { serve(SHADOW) }
  :: atomic { give_up_dead(PRODUCTION) }
  :: atomic { give_up_dead(SHADOW) }
  od
}

#define to_apply (applied < tail)
#define may_apply (applied < tail && \
    (outcome_recorded[entry[applied]] || \
     (dead[entry[applied] / TRANSACTIONS] && final(entry[applied]))))

inline apply_one() {
  atomic {
    may_apply -> t = entry[applied];
    if
    :: truth[t] == committed -> append(other(side_of[t]), t)
    :: else -> skip
    fi;
    applied++; t = 0
  }
}

#define clear(i) (!writing[i] || dead[i])
#define all_clear (clear(0) && clear(1))

#define may_die \
  if \
  :: deaths < DEATHS -> atomic { deaths++; replayer_alive = false; goto begins } \
  :: skip \
  fi

active proctype Replayer() {
  byte deaths;
  byte turns;
  byte t;
  byte word;
  byte marker;
  bool swapped;
  mtype seen;

begins:
  replayer_alive = true;
  /* settle_interrupted_cutover */
  do
  :: atomic { seen = mode; word = epoch };
     if
     :: seen == hold -> change_mode(word, record, swapped)
     :: seen == hold_back -> change_mode(word, switched, swapped)
     :: being_decided(seen) ->
        if
        :: in_use == SHADOW -> change_mode(word, switched, swapped)
        :: else -> change_mode(word, record, swapped)
        fi
     :: else -> break
     fi
  od;
  do
  :: to_apply -> apply_one()
  :: turns < TURNS ->
     turns++;
     atomic {
       seen = mode; word = epoch + 1;
       mode = (seen == switched -> hold_back : hold); epoch++
     };
     may_die;
     /* open transactions may end */
     if
     :: all_clear -> skip
     :: goto give_up
     fi;
     marker = tail;
     do
     :: applied < marker -> if :: apply_one() :: goto give_up fi
     :: else -> break
     od;
     may_die;
     change_mode(word, (seen == switched -> returning : switching), swapped);
     if
     :: !swapped -> goto give_up
     :: else -> word++
     fi;
     may_die;
#ifdef OPEN_BEFORE_DISK
     change_mode(word, (seen == switched -> record : switched), swapped);
     may_die;
     in_use = (seen == switched -> PRODUCTION : SHADOW);
#else
     in_use = (seen == switched -> PRODUCTION : SHADOW);
     may_die;
     change_mode(word, (seen == switched -> record : switched), swapped);
     assert(swapped);
#endif
     may_die;
     goto next;
give_up:
     atomic { change_mode(word, (seen == switched -> switched : record), swapped) };
next:
     atomic { word = 0; marker = 0; seen = 0; swapped = false }
  :: turns == TURNS && finished == SESSIONS && !to_apply -> break
  od;
  /* A transaction whose session died with its COMMIT on the way ends in its own time. */
  row_lock[PRODUCTION] == NOBODY && row_lock[SHADOW] == NOBODY -> skip;
  do
  :: to_apply -> apply_one()
  :: else -> break
  od;
  assert(data[PRODUCTION] == data[SHADOW]);
  turns_over = true
}

/* end_abandoned_turn */
active proctype Journald() {
  byte word;
  mtype seen;
  bool swapped;
end:
  do
  :: held(mode) && !replayer_alive ->
     atomic { seen = mode; word = epoch };
     if
     :: !held(seen) || replayer_alive -> skip
     :: else ->
        if
        :: being_decided(seen) ->
           if
           :: in_use == SHADOW -> change_mode(word, switched, swapped)
           :: else -> change_mode(word, record, swapped)
           fi
        :: else -> change_mode(word, let_go(seen), swapped)
        fi
     fi;
     atomic { word = 0; seen = 0; swapped = false }
  od
}
