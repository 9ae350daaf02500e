// The applying connection's session settings, made to follow those of the recorded sessions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "replayer/dialect/dialect.h"

namespace understudy {

/// Context statements in force on the shadow's connection. All changes are made inside the
/// transaction that needs them, so that a rollback undoes them; call `rolled_back` then.
class SessionContext {
 public:
  /// Remembers the settings that the driver made when it connected. Reads the database.
  SessionContext(odbc::Connection& shadow, Dialect dialect);

  /// Whether nothing recorded is in force: what the applier itself writes can be written.
  [[nodiscard]] bool clean() const { return !unknown_ && present_.empty(); }
  /// Back to how the connection was opened. False when the engine cannot (SQLite: what is
  /// attached): that stays.
  bool reset();
  /// What of them is set within a transaction. SQLite: not whether foreign keys are enforced, nor
  /// what changes no meaning.
  [[nodiscard]] std::vector<std::string> inside(std::vector<std::string> statements) const;
  /// Sets the rest. No transaction is open that is to be kept.
  void settle_outside(const std::vector<std::string>& statements);
  /// A transaction has begun. SQLite: rows are put one after the other that a statement has changed
  /// at once, so that foreign keys are looked at in its end.
  void begun();
  /// Before the transaction's COMMIT.
  void ending();
  /// Runs the statements, `failed` aside, behind what is in force. On an error the statement is put
  /// among the failed ones, which are left out from then on, and the error is thrown.
  void apply(const std::vector<std::string>& statements);
  [[nodiscard]] const std::vector<std::string>& present() const { return present_; }
  void committed() { touched_ = false; }
  /// A rollback took back what was set since the last commit.
  void rolled_back();
  /// A statement of this verdict has run, which may have changed settings by itself.
  void changed(Verdict verdict);
  [[nodiscard]] bool known() const { return !unknown_; }
  /// Whether values can be written into the text of a statement as psqlodbc does.
  bool plain_strings();
  /// The SQLSTATE with which the shadow refused a statement, or null.
  [[nodiscard]] const std::string* refused(const std::string& statement) const;

 private:
  bool reset_mariadb();
  /// MariaDB: what takes back the statements in force. Nothing: they may have set more than is
  /// known.
  [[nodiscard]] std::optional<std::vector<std::string>> first_values() const;
  bool reset_sqlite();
  [[nodiscard]] bool enforces() const;
  void deallocate();

  odbc::Connection& shadow_;
  Dialect dialect_;
  std::vector<std::string> baseline_;            // statements
  std::map<std::string, std::string> settings_;  // MariaDB: statements by variable
  std::vector<std::string> present_;
  std::map<std::string, std::string> failed_;  // SQLSTATE by statement
  bool enforced_ = false;                      // SQLite: foreign keys, now
  bool lacks_parent_ = false;                  // SQLite: see begun
  bool opaque_ran_ = false;                    // since all settings were read
  bool unknown_ = false;
  bool touched_ = false;   // since the last commit
  bool prepared_ = false;  // a PREPARE has run, which no rollback takes back
};

}  // namespace understudy
