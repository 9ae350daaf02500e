#include "tests/engine/parity/known.h"

namespace understudy::parity {
namespace {

struct Known {
  std::string_view target;  // beginning of its name; empty: all
  std::string_view name;    // of the case, or end of the table's name
  Compared compared;
  std::string_view reason;
};

constexpr std::string_view kForgotten =
    "the row count in the header of a statement refused for a parameter that is not bound: the "
    "bare "
    "driver still has the count of the execution before, which ran on a statement of ours";
constexpr Known kDifferences[] = {
    {"Postgres", "PartialFailureOneByOne", Compared::all,
     "in manual mode, what the last good set of a failed array has changed: psqlodbc does not keep "
     "it for sets that return rows, and asking would clear the error"},
    {"Sqlite", "DisconnectsWithStatementsAlive", Compared::all,
     "an older diagnostic is told a second time where the driver manager refuses a call itself: "
     "what SQLError tells it keeps and clears at its next call, what SQLGetDiagRec tells (all that "
     "we export) it asks for again, and we are not told of the call"},
    {"Sqlite", "OneBindingManyExecutions", Compared::all, kForgotten},
    {"Maria", "OneBindingManyExecutions", Compared::all, kForgotten},
    {"PostgresUnicodeOdbc38", "ThreadsShareAConnection", Compared::left_out,
     "an ODBC 3.80 program whose threads share a connection: memory is freed twice, bare too"},
    {"Maria", "ArraysByColumn", Compared::all,
     "the row count in the header after an array that updates or deletes: not the sum of its sets"},
    {"MariaWide", "ColumnAttributes", Compared::all,
     "libmaodbc's SQLColAttributesW refuses the handle; the driver manager calls that entry where "
     "a driver exports it, and gives it lengths in characters for SQLColAttributes and in bytes "
     "for SQLColAttributesW: exported by us, it could not be passed on to psqlodbc, which has "
     "none"},
};

constexpr Known kRemainders[] = {
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
