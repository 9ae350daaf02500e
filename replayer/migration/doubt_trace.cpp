#include "replayer/migration/doubt_trace.h"

#include <stdexcept>

namespace understudy {
namespace {

void run(const Database& shadow, const std::vector<RowStatement>& statements) {
  for (const RowStatement& one : statements) {
    odbc::Statement statement(shadow.db());
    if (!one.parameters.empty()) statement.bind(one.parameters);
    statement.execute_direct(one.text);
  }
}

/// Whether a rollback takes back all that the statements, and triggers, may write.
bool rolls_back(const Database& shadow) {
  if (shadow.sql().kind() != Dialect::mariadb) return true;
  return shadow.db().scalar(
             "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND "
             "TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB'") == "0";
}

/// Ends the transaction on the shadow, whatever happens in it.
class RolledBack {
 public:
  explicit RolledBack(odbc::Connection& db) : db_(db), autocommit_(db.autocommit()) {
    if (autocommit_) db_.set_autocommit(false);
  }
  ~RolledBack() {
    try {
      db_.rollback();
      if (autocommit_) db_.set_autocommit(true);
    } catch (const odbc::Error&) {
      // The connection is gone, and its transaction with it; its next use says so.
    }
  }
  RolledBack(const RolledBack&) = delete;
  RolledBack& operator=(const RolledBack&) = delete;

 private:
  odbc::Connection& db_;
  const bool autocommit_;
};

}  // namespace

std::optional<TracedRow> trace_row(const Database& shadow, const RowTrace& trace,
                                   const std::function<RowImage()>& look) {
  TracedRow out;
  try {
    if (!rolls_back(shadow)) return std::nullopt;
    for (const bool with : {true, false}) {
      const RolledBack transaction(shadow.db());
      if (with) run(shadow, trace.mine);
      run(shadow, trace.later);
      (with ? out.with : out.without) = look();
    }
  } catch (const odbc::Error& error) {
    if (error.connection_lost()) throw;
    return std::nullopt;
  } catch (const std::runtime_error&) {  // a text that is not UTF-8
    return std::nullopt;
  }
  return out;
}

}  // namespace understudy
