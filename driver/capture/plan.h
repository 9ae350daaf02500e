// How one execution is going to be run and recorded; decided before it runs.
#pragma once

#include <cstddef>
#include <string>

#include "driver/capture/parameters.h"
#include "driver/sql/analyzer.h"

namespace understudy::capture {

class Session;

struct Plan {
  const sql::Analysis* analysis = nullptr;
  Verdict verdict = Verdict::opaque;  // as it is going to stand in the journal
  Verb verb = Verb::other;
  bool reads = false;                 // the grammar has cleared what the words made suspect
  const char* uncaptured = nullptr;   // not recorded but counted under this name
  const std::string* text = nullptr;  // run on our own statement; null: the application's call
  bool visible = false;               // the application fetches from our own statement
  bool collects = false;              // its rows are asked for after it: RETURNING of its own
  bool asks = false;                  // its rows are asked for, before it and afterwards
  bool keeps = false;                 // it keeps them on the server, to be asked for afterwards
  std::size_t columns = 0;            // of each row of effects that it returns
  bool with_txid = false;             // the last column is the server's transaction id
  std::size_t sets_at_once = 0;       // of an array; 0: all
  bool values = true;                 // bound values are recorded
};

/// The same execution when no statement of our own can be had.
Plan without_own_statement(Plan plan, const BoundParameters& bound);

/// Before an execution of `stmt` inside a transaction under capture. Sends nothing.
Plan make_plan(Statement& stmt, Session& session, const BoundParameters& bound);

}  // namespace understudy::capture
