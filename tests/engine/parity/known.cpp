#include "tests/engine/parity/known.h"

namespace understudy::parity {
namespace {

struct Known {
  std::string_view target;  // beginning of its name; empty: all
  std::string_view name;    // of the case, or end of the table's name
  Compared compared;
  std::string_view reason;
};

constexpr std::string_view kHeader =
    "row counts in the diagnostic header, after calls that only the real statement would have seen";
constexpr Known kDifferences[] = {
    {"", "DescribesAnInsert", Compared::nothing,
     "which column attributes a statement without result has"},
    {"", "SeveralStatements", Compared::nothing, "psqlodbc repeats the text of an older error"},
    {"Postgres", "PartialFailureOneByOne", Compared::without_headers, kHeader},
    {"Sqlite", "OwnReturningPrepared", Compared::nothing,
     "the error of a fetch without result has no text"},
    {"Sqlite", "DataAtExecution", Compared::without_headers, kHeader},
    {"Sqlite", "DataAtExecutionGivenUp", Compared::without_headers, kHeader},
    {"Sqlite", "DefaultParameters", Compared::without_headers, kHeader},
    {"Sqlite", "Browses", Compared::nothing,
     "libsqliteodbc's SQLError and SQLGetDiagRec write their texts differently"},
    {"Sqlite", "DisconnectsWithStatementsAlive", Compared::nothing,
     "an older diagnostic of the connection is told a second time"},
    {"Sqlite", "StatementOptions", Compared::nothing, "SQLSetStmtOption becomes SQLSetStmtAttr"},
    {"PostgresUnicodeOdbc38", "ThreadsShareAConnection", Compared::left_out,
     "an ODBC 3.80 program whose threads share a connection: memory is freed twice, bare too"},
    {"Maria", "ArraysByColumn", Compared::without_headers, kHeader},
    {"Maria", "DataAtExecutionGivenUp", Compared::without_headers, kHeader},
    {"Maria", "ConstraintViolations", Compared::without_headers, kHeader},
    {"Maria", "Escapes", Compared::without_headers, kHeader},
    {"Maria", "WhereCurrentOf", Compared::without_headers, kHeader},
    {"Maria", "BrokenStatements", Compared::without_headers, kHeader},
    {"MariaWide", "ConnectionOptions", Compared::nothing,
     "SQLGetConnectOption fails on W connections of Connector/ODBC; ours asks for the attribute"},
    {"MariaWide", "ColumnAttributes", Compared::nothing,
     "SQLColAttributes fails on W connections of Connector/ODBC; ours asks SQLColAttribute"},
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
