#include "driver/capture/calls.h"

#include <algorithm>
#include <array>
#include <new>
#include <string_view>
#include <utility>

#include "driver/capture/own_transaction.h"
#include "driver/capture/write.h"
#include "driver/sql/previous.h"
#include "driver/sql/procedures.h"

namespace understudy::capture {
namespace {

constexpr std::size_t kDefinitionsMax = 32;
// Each is a statement that has to run before the call.
constexpr std::size_t kResultsMax = 16;
// A driver of another kind keeps results with the statement that has executed.
constexpr std::string_view kTakesForOthers = "03.01.";

std::string driver_version(const Connection& dbc) {
  std::array<char, 32> version{};
  SQLSMALLINT length = 0;
  const auto get = dbc.library->fn.GetInfo;
  const bool told = get != nullptr && SQL_SUCCEEDED(get(dbc.real, SQL_DRIVER_VER, version.data(),
                                                        SQLSMALLINT{version.size()}, &length));
  return told ? version.data() : std::string();
}

/// A number of values, so that the real driver prepares it.
std::string text_of_taker(std::size_t values) {
  std::string out = "DO (?)";
  for (std::size_t i = 1; i < values; ++i) out += ", (?)";
  return out;
}

class Call {
 public:
  Call(const Work& work, bool direct, bool sends_nothing)
      : work_(work), direct_(direct), sends_nothing_(sends_nothing) {}

  /// Statements that have been executed, which is all that the real driver asks of one that takes a
  /// result. With the application's parameters, since what it gives back is written to these.
  bool make_takers(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      if (!execute_taker()) return false;
      takers_.push_back(execution().take_own());
    }
    own().forget_parameters();
    return SQL_SUCCEEDED(own().open(true)) && own().bind(work_.bound, {0, 1});
  }

  /// In an open transaction.
  SQLRETURN run() {
    const auto before = rows_written(work_.stmt, work_.session);
    begin();
    const SQLRETURN ret =
        to_its_end([&] { return own().run(execution().text(), direct_, execution().wide()); });
    own().report_processed(work_.bound, {0, 1});
    execution().failed_on_own = !done(ret);
    if (done(ret)) take_results();
    const bool failed = !done(ret) || !failed_.empty();
    settle(failed);
    if (failed) keep_part(before);
    if (!failed) {
      work_.session.send_aside(sql::kKeepRowCount);
      work_.session.previous.rows = sql::kKeptRowCount;
    }
    return ret;
  }

  /// The transaction is committed.
  void show() {
    for (std::unique_ptr<OwnStatement>& one : results_) {
      execution().shown.emplace_back().statement = std::move(one);
      execution().counts.push_back(0);
    }
    execution().failed_set = std::move(failed_);
    execution().show(0);
  }

 private:
  [[nodiscard]] Execution& execution() const { return work_.execution(); }
  [[nodiscard]] OwnStatement& own() const { return execution().own; }

  bool execute_taker() const {
    own().forget_parameters();
    if (!SQL_SUCCEEDED(own().open(true)) || !own().bind(work_.bound, {0, 1})) return false;
    const std::size_t values = work_.bound.count();
    const real::Entries& fn = work_.stmt.library->fn;
    static SQLINTEGER nothing = 0;
    if (values == 0 &&
        (fn.BindParameter == nullptr || fn.FreeStmt == nullptr ||
         !SQL_SUCCEEDED(fn.BindParameter(own().handle(), 1, SQL_PARAM_INPUT, SQL_C_SLONG,
                                         SQL_INTEGER, 0, 0, &nothing, 0, nullptr)))) {
      return false;
    }
    const SQLRETURN ret = own().run(text_of_taker(values), false, execution().wide());
    if (values == 0) fn.FreeStmt(own().handle(), SQL_RESET_PARAMS);
    return SQL_SUCCEEDED(ret);
  }

  /// What a call has done before it failed stands. Without a question where the shadow can be told
  /// to do it again: questions clear what the server has warned of.
  void keep_part(const std::optional<std::string>& before) {
    if (results_.empty() && sends_nothing_ && record_failed_call(work_)) {
      execution().in_part = true;
    } else if (before && before != rows_written(work_.stmt, work_.session)) {
      execution().in_part = true;
      work_.session.note_uncaptured(kFailedInPart);
    }
  }

  void take_results() {
    results_.push_back(execution().take_own());
    for (std::unique_ptr<OwnStatement>& taker : takers_) {
      const SQLRETURN ret = next_of(*taker);
      if (ret == SQL_NO_DATA) return;
      if (!SQL_SUCCEEDED(ret)) return tell_failure(*taker);
      results_.push_back(std::move(taker));
    }
    drain();
  }

  [[nodiscard]] SQLRETURN next_of(const OwnStatement& statement) const {
    const auto more = work_.stmt.library->fn.MoreResults;
    return more == nullptr ? static_cast<SQLRETURN>(SQL_ERROR) : more(statement.handle());
  }

  void tell_failure(const OwnStatement& statement) {
    Handle told(HandleKind::statement);
    take_diagnostics(*work_.stmt.library, SQL_HANDLE_STMT, statement.handle(),
                     work_.stmt.connection.wide, told);
    failed_ = std::move(told.diagnostics);
  }

  /// More came than the definition had statements for, which it cannot. The connection has to be
  /// free for COMMIT all the same.
  void drain() {
    OwnStatement& last = *results_.back();
    if (next_of(last) == SQL_NO_DATA) return;
    while (SQL_SUCCEEDED(next_of(last))) {
    }
    Handle told(HandleKind::statement);
    told.fail("HY000", "the procedure sent more results than its definition has statements for");
    failed_ = std::move(told.diagnostics);
    lost_results_ = true;
  }

  void begin() {
    try {
      begin_entry(work_, 0);
    } catch (const std::bad_alloc&) {
      forget();
    }
  }

  void settle(bool failed) {
    if (forgotten_) return;
    try {
      if (failed && !lost_results_) {
        work_.entries().cancel_statement();
      } else {
        settle_entry(work_, SQL_SUCCESS, -1);
      }
    } catch (const std::bad_alloc&) {
      forget();
    }
  }

  void forget() {
    work_.entries().cancel_statement();
    work_.session.map->invalidate("no memory was left to record a statement");
    forgotten_ = true;
  }

  const Work& work_;
  const bool direct_;
  const bool sends_nothing_;
  std::vector<std::unique_ptr<OwnStatement>> takers_;
  std::vector<std::unique_ptr<OwnStatement>> results_;  // each in the statement that has it
  std::vector<Diagnostic> failed_;                      // behind the last of them
  bool lost_results_ = false;
  bool forgotten_ = false;
};

}  // namespace

std::optional<std::vector<std::string>> called_definitions(Statement& stmt,
                                                           const std::string& text) {
  std::vector<std::string> out;
  std::vector<std::string> calls{text};
  for (std::size_t i = 0; i < calls.size(); ++i) {
    auto definition = called_definition(stmt, calls[i]);
    if (!definition) return std::nullopt;
    for (const sql::CalledProcedure& one : sql::procedures_called(*definition)) {
      std::string call = sql::call_of(one);
      if (std::find(calls.begin() + 1, calls.end(), call) == calls.end()) {
        calls.push_back(std::move(call));
      }
    }
    if (calls.size() > kDefinitionsMax) return std::nullopt;
    out.push_back(std::move(*definition));
  }
  return out;
}

std::optional<std::size_t> results_behind(const Session& session,
                                          const std::vector<std::string>& definitions,
                                          bool gives_back) {
  if (!driver_version(session.dbc).starts_with(kTakesForOthers)) return std::nullopt;
  std::size_t results = 0;
  for (std::size_t i = 0; i < definitions.size(); ++i) {
    const auto count = sql::results_at_most(definitions[i]);
    // How often another procedure is called is not known.
    if (!count || (i > 0 && *count > 0)) return std::nullopt;
    results += *count;
  }
  // What is given back would be written before the application asks for the result that it is.
  if (gives_back && results > 0) return std::nullopt;
  if (gives_back) return 1;
  return results <= kResultsMax ? std::optional(results) : std::nullopt;
}

bool sends_rows(const std::vector<std::string>& definitions) {
  return !std::all_of(definitions.begin(), definitions.end(), [](const std::string& one) {
    return sql::results_at_most(one) == std::size_t{0};
  });
}

bool record_failed_call(const Work& work) {
  Handle told(HandleKind::statement);
  take_diagnostics(*work.stmt.library, SQL_HANDLE_STMT, work.stmt.current.load(),
                   work.stmt.connection.wide, told);
  if (told.diagnostics.empty()) return false;
  const std::string text =
      sql::call_that_fails(work.execution().text(), told.diagnostics.front().native);
  if (text.empty()) return false;
  const std::uint8_t flags = work.execution().wide() ? kStatementWideText : 0;
  work.entries().begin_statement(Verdict::opaque, Verb::other, flags, text, {});
  work.bound.append(0, work.late, work.entries());
  end_entry(work, -1);
  work.session.spill();
  return true;
}

std::optional<SQLRETURN> run_call(const Work& work, std::size_t behind, bool direct,
                                  const RunsUnchanged& unchanged) {
  Session& session = work.session;
  Call call(work, direct, behind == 0);
  if (!call.make_takers(behind)) return std::nullopt;
  if (!leave_autocommit(session)) return run_outside(session, unchanged);
  SQLRETURN ret = call.run();
  const bool ran = done(ret);
  ret = end_converted(work.stmt, session, ret, work.execution().in_part);
  return_to_autocommit(session);
  if (done(ret)) call.show();
  if (ran)
    session.previous.found_kept = false;  // a query in it may have set what FOUND_ROWS() says
  return ret;
}

}  // namespace understudy::capture
