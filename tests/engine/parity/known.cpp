#include "tests/engine/parity/known.h"

namespace understudy::parity {
namespace {

struct Known {
  std::string_view target;  // beginning of its name; empty: all
  std::string_view name;    // of the case, or end of the table's name
  Compared compared;
  std::string_view reason;
};

constexpr Known kDifferences[] = {
    {"Sqlite", "DisconnectsWithStatementsAlive", Compared::nothing,
     "an older diagnostic is told a second time where the driver manager refuses a call itself: "
     "what SQLError tells it keeps and clears at its next call, what SQLGetDiagRec tells (all that "
     "we export) it asks for again, and we are not told of the call"},
    {"Postgres", "ConnectionLostUnderAutocommit", Compared::without_messages,
     "which of its own texts psqlodbc chooses for a lost connection: while recording it notices at "
     "the BEGIN that goes before the statement, as with autocommit off"},
    {"PostgresUnicodeOdbc38", "ThreadsShareAConnection", Compared::left_out,
     "an ODBC 3.80 program whose threads share a connection: memory is freed twice, bare too"},
    {"MariaWide", "ColumnAttributes", Compared::nothing,
     "libmaodbc's SQLColAttributesW refuses the handle; the driver manager calls that entry where "
     "a driver exports it, and gives it lengths in characters for SQLColAttributes and in bytes "
     "for SQLColAttributesW: exported by us, it could not be passed on to psqlodbc, which has "
     "none"},
};

constexpr Known kRemainders[] = {
    {"Maria", "callsnotseen", Compared::nothing,
     "under autocommit a procedure that may send results is counted whose definition the account "
     "may not see, or that is called by a text that is put together"},
    {"Maria", "callswithrowsleftthere", Compared::nothing,
     "under autocommit a procedure that may send results is counted where Connector/ODBC leaves "
     "rows with the server (NO_CACHE, FORWARD_ONLY)"},
    {"Maria", "callsofseveralstatements", Compared::nothing,
     "a procedure that ends transactions is counted, and one that fails in its middle where it "
     "sends results or the account may not see it"},
    {"Maria", "mariabatchesnottoldapart", Compared::nothing,
     "data at execution of several statements in one text is counted: Connector/ODBC runs those "
     "before the one that waits, and runs them again when the data is there"},
    {"Maria", "connectionmadeanew", Compared::nothing,
     "where Connector/ODBC connects anew by itself (AUTO_RECONNECT) in a transaction, what of it "
     "was lost and what the server has committed is not known, and counted"},
    {"Postgres", "callsthatcommit", Compared::nothing,
     "a procedure that ends transactions is counted, not recorded"},
    {"Postgres", "batchesnottoldapart", Compared::nothing,
     "a batch in which the server warns is counted, not told apart"},
};

bool begins(std::string_view target, const Known& one) {
  return target.starts_with(one.target);
}

}  // namespace

Compared compared(std::string_view target, std::string_view case_name) {
  for (const Known& one : kDifferences) {
    if (begins(target, one) && case_name == one.name) return one.compared;
  }
  return Compared::all;
}

std::string known_remainder(std::string_view target, std::string_view table) {
  for (const Known& one : kRemainders) {
    if (begins(target, one) && table.ends_with(one.name)) return std::string(one.reason);
  }
  return {};
}

}  // namespace understudy::parity
