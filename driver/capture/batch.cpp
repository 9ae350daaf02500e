#include "driver/capture/batch.h"

#include <algorithm>
#include <string>
#include <vector>

#include "driver/capture/control.h"
#include "driver/capture/write.h"
#include "driver/handle/attributes.h"
#include "driver/real/configuration.h"
#include "driver/sql/batch.h"

namespace understudy::capture {
namespace {

using sql::BatchPart;
using sql::StatementClass;

constexpr char kSavepoint[] = "understudy_batch";

bool is_control(StatementClass cls) {
  return cls >= StatementClass::begin && cls <= StatementClass::release;
}

/// Whether the application set an option under which an execution is more than one call.
bool runs_specially(const Statement& stmt) {
  const Attribute* async = find_attribute(stmt.attributes, SQL_ATTR_ASYNC_ENABLE);
  const bool asynchronous = async != nullptr && reinterpret_cast<std::uintptr_t>(async->value) != 0;
  return asynchronous || stmt.paramset_size > 1 || stmt.app_param != nullptr ||
         stmt.param_status != nullptr || stmt.params_processed != nullptr;
}

/// psqlodbc fetches the rows of a batch at once, but those of one query by and by when told so:
/// they would be gone after a COMMIT. With a second statement behind it a query is a batch, too.
constexpr char kAtOnce[] = "\n;SELECT";

bool fetches_by_and_by(const Session& session) {
  const auto key = [&](const char* name) {
    return real::connect_key(session.dbc.connect_text, session.dbc.settings.dsn, name);
  };
  return key("UseDeclareFetch") == "1" || key("B6") == "1";
}

enum class Rows { none, some, unknown };

/// Whether the application gets rows of a statement that may write.
Rows rows_of(const sql::Analysis& analysis) {
  const StatementClass cls = analysis.classification.cls;
  if (cls == StatementClass::read || cls == StatementClass::locking_read) return Rows::some;
  if (cls != StatementClass::write) return Rows::unknown;
  if (analysis.verdict != Verdict::opaque) {
    return analysis.own_returning ? Rows::some : Rows::none;
  }
  // Of other kinds a rule or a WITH may return rows.
  for (const char* reason : {"no-key", "key-assigned", "unknown-function", "search-path",
                             "row-security", "unreadable"}) {
    if (analysis.reason == reason && !analysis.own_returning) return Rows::none;
  }
  return Rows::unknown;
}

/// Goes along a batch as the server does and finds what it would warn of or refuse.
class Forecast {
 public:
  explicit Forecast(const Session& session)
      : manual_(!session.dbc.autocommit), block_(!session.autocommitting()) {}

  bool allows(const BatchPart& part) {
    const sql::Classification& what = part.classification;
    switch (what.cls) {
      case StatementClass::write:
      case StatementClass::read:
      case StatementClass::locking_read:
        ran_ = true;
        return true;
      case StatementClass::context:
        ran_ = true;
        plain_ = false;
        return !what.creates_temporary;
      case StatementClass::begin:
        return begins(part);
      case StatementClass::commit:
      case StatementClass::rollback:
        return ends(what);
      case StatementClass::savepoint:
        own_.push_back(what.savepoint);
        return block_;
      case StatementClass::rollback_to:
      case StatementClass::release:
        return block_ &&
               (!manual_ || std::find(own_.begin(), own_.end(), what.savepoint) != own_.end());
      default:
        return false;
    }
  }

 private:
  bool begins(const BatchPart& part) {
    const bool modes = sql::begins_with_modes(part.text, Dialect::postgresql);
    const bool allowed = !block_ && (!modes || (!ran_ && !manual_));
    block_ = true;
    plain_ = !modes;
    return allowed;
  }

  bool ends(const sql::Classification& what) {
    const bool allowed = block_ && (!what.chained || (plain_ && !manual_));
    block_ = what.chained;
    ran_ = false;
    own_.clear();
    return allowed;
  }

  const bool manual_;
  bool block_;                    // a transaction that a statement began, or the application's
  bool plain_ = false;            // begun in the text, with no word on what it is to be like
  bool ran_ = false;              // something has run in it
  std::vector<std::string> own_;  // savepoints set in the text
};

/// One execution of a batch.
class Batch {
 public:
  Batch(Statement& stmt, Session& session, std::vector<BatchPart> parts)
      : stmt_(stmt),
        session_(session),
        parts_(std::move(parts)),
        inside_(!session.autocommitting()),
        by_and_by_(fetches_by_and_by(session)),
        block_(inside_),
        open_(inside_) {}

  [[nodiscard]] bool can_be_told() {
    if (parts_.empty() || runs_specially(stmt_)) return false;
    Forecast forecast(session_);
    const auto view = session_.catalog();
    if (view == nullptr) return false;
    for (BatchPart& part : parts_) {
      StatementClass& cls = part.classification.cls;
      Rows rows = cls == StatementClass::read || cls == StatementClass::locking_read ? Rows::some
                                                                                     : Rows::none;
      if (cls == StatementClass::write || cls == StatementClass::opaque) {
        const auto analysis = view->analysis(part.text, session_.search_path);
        cls = analysis->classification.cls;
        rows = rows_of(*analysis);
      }
      if (part.parameters != 0 || rows == Rows::unknown || !forecast.allows(part)) {
        return false;
      }
      shows_ = shows_ || rows == Rows::some;
    }
    return SQL_SUCCEEDED(own().open(false));
  }

  SQLRETURN run() {
    const std::string whole = execution().text();
    const bool wide = execution().wide();
    SQLRETURN ret = begin();
    for (std::size_t i = 0; i < parts_.size() && done(ret); ++i) {
      execution().set_text(parts_[i].text, wide, session_.dialect);
      const SQLRETURN one = run_part(parts_[i].classification);
      if (done(one)) keep_result();
      if (i == 0 || !done(one) || (one == SQL_SUCCESS_WITH_INFO && ret == SQL_SUCCESS)) ret = one;
    }
    ret = done(ret) ? end(ret) : give_up(ret);
    execution().set_text(whole, wide, session_.dialect);
    execution().failed_on_own = !done(ret);
    if (!done(ret)) return ret;
    own().close();
    execution().hidden = true;
    if (!shows_) shown_.clear();
    execution().shown = std::move(shown_);
    execution().show(0);
    return ret;
  }

 private:
  [[nodiscard]] Execution& execution() const { return *stmt_.execution; }
  [[nodiscard]] OwnStatement& own() const { return execution().own; }

  SQLRETURN send(const std::string& text) {
    const SQLRETURN opened = own().open(false);
    return SQL_SUCCEEDED(opened) ? own().run(text, true, execution().wide()) : opened;
  }

  /// The part has run on `own`: when its rows are the application's, they stay there.
  void keep_result() {
    Execution::Shown& result = shown_.emplace_back();
    if (!execution().visible) return;
    execution().counts.push_back(0);
    result.clipped = execution().clipped;
    result.followed = std::exchange(followed_, false);
    result.statement = execution().take_own();
    execution().visible = false;
    execution().clipped = 0;
  }

  /// A query, or rows that a write returns: the application fetches from `own`.
  SQLRETURN query() {
    const SQLRETURN opened = own().open(true);
    const std::string text = execution().text() + (by_and_by_ ? kAtOnce : "");
    const SQLRETURN ret =
        SQL_SUCCEEDED(opened) ? own().run(text, true, execution().wide()) : opened;
    execution().visible = done(ret);
    followed_ = by_and_by_ && done(ret);
    if (!done(ret)) session_.transaction.tainted = session_.transaction.recorded;
    return ret;
  }

  SQLRETURN begin() {
    if (!inside_ || rollback_level(session_) != '2') return SQL_SUCCESS;
    const std::string savepoint = std::string("SAVEPOINT ") + kSavepoint;
    saved_ = SQL_SUCCEEDED(session_.send_aside(savepoint));
    if (saved_) session_.transaction.set_savepoint(kSavepoint, session_.settings());
    return SQL_SUCCESS;
  }

  SQLRETURN run_part(const sql::Classification& what) {
    const RunsUnchanged plain = [this] { return send(execution().text()); };
    if (!is_control(what.cls)) {
      if (const SQLRETURN ret = enter(); !done(ret)) return ret;
      if (what.cls == StatementClass::write) {
        return session_.transaction.recorded ? record_part(stmt_, session_) : unrecorded();
      }
      if (what.cls != StatementClass::context) return query();
      return uncounted(run_setting(stmt_, session_, plain));
    }
    switch (what.cls) {
      case StatementClass::begin:
        return uncounted(begin_block(plain));
      // Marked to the end of the text: a cutover in its middle would take the results of the parts
      // before away with production's connection.
      case StatementClass::commit:
        return uncounted(left(what, session_.commit([this] { return send("COMMIT"); }, true)));
      case StatementClass::rollback:
        return uncounted(left(what, session_.rollback([this] { return send("ROLLBACK"); }, true)));
      default:
        return uncounted(run_savepoint(stmt_, session_, plain));
    }
  }

  /// Before a statement that runs in a transaction: marked, and begun when the server would have.
  SQLRETURN enter() {
    BeginWrite how = BeginWrite::recorded;
    SQLRETURN ret = SQL_ERROR;
    if (!begin_marked(stmt_, session_, &how, &ret)) return ret;
    if (open_ || !session_.dbc.autocommit) return SQL_SUCCESS;
    open_ = true;
    return send("BEGIN");
  }

  SQLRETURN begin_block(const RunsUnchanged& plain) {
    block_ = true;
    if (open_ || !session_.dbc.autocommit) return SQL_SUCCESS;
    open_ = true;
    return plain();
  }

  /// Behind COMMIT or ROLLBACK. A chained one is two: psqlodbc does not notice that its own
  /// savepoint is gone with a transaction that is followed by another at once.
  SQLRETURN left(const sql::Classification& what, SQLRETURN ret) {
    block_ = open_ = saved_ = false;
    if (!what.chained || !done(ret)) return ret;
    block_ = open_ = true;
    return send("BEGIN");
  }

  /// The recording has ended with a transaction of the text.
  SQLRETURN unrecorded() {
    const SQLRETURN ret = query();
    if (!done(ret) || own().has_columns()) return ret;
    execution().visible = followed_ = false;
    execution().counts.push_back(own().row_count());
    return ret;
  }

  SQLRETURN uncounted(SQLRETURN ret) {
    if (done(ret)) execution().counts.push_back(kNoRowCount);
    return ret;
  }

  SQLRETURN end(SQLRETURN ret) {
    if (saved_) {
      session_.send_aside(std::string("RELEASE ") + kSavepoint);
      session_.transaction.release(kSavepoint);
    }
    if (!block_ && !open_ && session_.dbc.autocommit) {
      session_.lost();  // nothing follows the last COMMIT
    } else if (!block_) {
      // The text ended outside of the application's transaction: the server has committed the rest.
      const SQLRETURN ended = session_.commit([this] { return commit_rest(); });
      if (!SQL_SUCCEEDED(ended)) return give_up(ended);
    }
    session_.transaction.by_text = block_ && session_.dbc.autocommit;
    return ret;
  }

  SQLRETURN commit_rest() {
    if (session_.dbc.autocommit) {
      return open_ ? send("COMMIT") : static_cast<SQLRETURN>(SQL_SUCCESS);
    }
    return real_end_tran(session_.dbc, SQL_COMMIT);
  }

  SQLRETURN give_up(SQLRETURN ret) {
    execution().counts.clear();
    Transaction& transaction = session_.transaction;
    if (saved_) {
      session_.send_aside(std::string("ROLLBACK TO ") + kSavepoint);
      session_.send_aside(std::string("RELEASE ") + kSavepoint);
      if (const auto settings = transaction.settings_at(kSavepoint)) {
        session_.settings_undone(*settings);
      }
      session_.rolled_back_to(kSavepoint);
      transaction.release(kSavepoint);
    }
    // psqlodbc gives up a transaction that the failed execution has begun.
    if (!inside_ && rollback_level(session_) != '0') block_ = false;
    const bool manual = !session_.dbc.autocommit;
    if (!block_ && (open_ || manual)) {
      (void)session_.rollback([&] {
        return manual ? real_end_tran(session_.dbc, SQL_ROLLBACK) : session_.send_aside("ROLLBACK");
      });
    }
    if (!block_) session_.lost();
    transaction.by_text = block_ && session_.dbc.autocommit;
    return ret;
  }

  Statement& stmt_;
  Session& session_;
  std::vector<BatchPart> parts_;
  const bool inside_;  // a transaction was open before
  const bool by_and_by_;
  bool followed_ = false;  // the last part's result, by that of kAtOnce
  bool block_;             // as the server sees it: outside, the rest is committed with the text
  bool open_;              // a transaction is open that a statement began
  bool shows_ = false;     // some of the results have rows
  std::vector<Execution::Shown> shown_;
  bool saved_ = false;  // our savepoint is there
};

}  // namespace

std::optional<SQLRETURN> run_batch(Statement& stmt, Session& session) {
  if (session.dialect != Dialect::postgresql) return std::nullopt;
  if (session.transaction.tainted) session.settle_taint();
  if (session.transaction.poisoned) return std::nullopt;
  const std::string text = stmt.execution->text();
  Batch batch(stmt, session, sql::split_batch(text, session.dialect));
  if (!batch.can_be_told()) return std::nullopt;
  return batch.run();
}

}  // namespace understudy::capture
