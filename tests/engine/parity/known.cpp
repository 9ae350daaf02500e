#include "tests/engine/parity/known.h"

namespace understudy::parity {
namespace {

struct Known {
  std::string_view target;  // beginning of its name; empty: all
  std::string_view name;    // of the case, or end of the table's name
  std::string_view reason;
};

constexpr std::string_view kHeader =
    "row counts in the diagnostic header, after calls that only the real statement would have seen";
constexpr std::string_view kMariaRecording =
    "Connector/ODBC while recording: diagnostics of calls on a statement without result, "
    "status arrays of failed arrays, row counts in the header";

constexpr Known kDifferences[] = {
    {"", "DescribesAnInsert", kHeader},
    {"", "SeveralStatements", "psqlodbc repeats an older error's text; row counts in the header"},
    {"Postgres", "PartialFailureOneByOne", kHeader},
    {"Sqlite", "OwnReturningPrepared", "the text of the error that a fetch without result gives"},
    {"Sqlite", "DataAtExecution", kHeader},
    {"Sqlite", "DataAtExecutionGivenUp", kHeader},
    {"Sqlite", "DefaultParameters", kHeader},
    {"Sqlite", "Browses",
     "libsqliteodbc's SQLError and SQLGetDiagRec write their texts differently"},
    {"Sqlite", "DisconnectsWithStatementsAlive",
     "an older diagnostic of the connection is told a second time"},
    {"Sqlite", "StatementOptions", "SQLSetStmtOption becomes SQLSetStmtAttr"},
    {"Maria", "DataInPieces", "Connector/ODBC reads beyond its columns: anything may happen"},
    {"Maria", "BoundColumns", kMariaRecording},
    {"Maria", "Escapes", kMariaRecording},
    {"Maria", "ArraysByColumn", kMariaRecording},
    {"Maria", "ArraysByRowWithOffset", kMariaRecording},
    {"Maria", "PartialFailureByDefault", kMariaRecording},
    {"Maria", "DataAtExecutionGivenUp", kMariaRecording},
    {"Maria", "WhereCurrentOf", kMariaRecording},
    {"Maria", "ConstraintViolations", kMariaRecording},
    {"Maria", "BrokenStatements", kMariaRecording},
    {"Maria", "ConnectionOptions", kMariaRecording},
    {"Maria", "SetsParameters", kMariaRecording},
    {"Maria", "ColumnAttributes", kMariaRecording},
};

constexpr Known kRemainders[] = {
    {"Postgres", "chainedtransactions",
     "a batch that ends transactions is counted, not told apart"},
    {"Postgres", "preparedastext", "EXECUTE is opaque: its serial is the shadow's own"},
};

std::string find(const auto& list, std::string_view target, std::string_view name, bool ending) {
  for (const Known& one : list) {
    const bool same = ending ? name.ends_with(one.name) : name == one.name;
    if (same && target.starts_with(one.target)) return std::string(one.reason);
  }
  return {};
}

}  // namespace

std::string known_difference(std::string_view target, std::string_view case_name) {
  return find(kDifferences, target, case_name, false);
}

std::string known_remainder(std::string_view target, std::string_view table) {
  return find(kRemainders, target, table, true);
}

}  // namespace understudy::parity
