#include "driver/capture/parts.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "driver/capture/data_at_execution.h"
#include "driver/capture/intercept.h"
#include "driver/capture/write.h"
#include "driver/handle/attributes.h"
#include "driver/real/configuration.h"
#include "driver/real/wide.h"
#include "driver/sql/arrays.h"
#include "driver/sql/connector_batch.h"
#include "driver/sql/procedures.h"
#include "journal/c_type.h"

namespace understudy::capture {
namespace {

constexpr unsigned long kMultiStatements = 67108864;  // of Connector/ODBC's OPTION

std::uintptr_t attribute_of(const Statement& stmt, SQLINTEGER attribute) {
  const Attribute* set = find_attribute(stmt.attributes, attribute);
  return set == nullptr ? 0 : reinterpret_cast<std::uintptr_t>(set->value);
}

/// Whether the application set an option under which an execution is more than one call, or its
/// text another.
bool runs_specially(const Statement& stmt) {
  return attribute_of(stmt, SQL_ATTR_ASYNC_ENABLE) != 0 ||
         attribute_of(stmt, SQL_ATTR_MAX_ROWS) != 0;
}

bool is_plain(const ParameterBinding& one) {
  return one.bound && one.io_type == SQL_PARAM_INPUT &&
         (one.octet_length == nullptr || one.octet_length == one.indicator);
}

/// The binding of a parameter as if its set were the only one.
ParameterBinding of_set(const BoundParameters& bound, std::size_t set, std::uint32_t parameter) {
  ParameterBinding out = bound.bindings()[parameter];
  const SQLLEN fixed = fixed_bytes(resolved_c_type(out.c_type, out.sql_type));
  const bool by_column = bound.bind_type() == SQL_PARAM_BIND_BY_COLUMN;
  const auto place = [&](auto* base, SQLLEN bytes) {
    const SQLULEN step = by_column ? static_cast<SQLULEN>(bytes) : bound.bind_type();
    const auto address = reinterpret_cast<std::uintptr_t>(base) + bound.offset() + step * set;
    return base == nullptr ? base : reinterpret_cast<decltype(base)>(address);
  };
  const SQLLEN bytes = fixed != 0 ? fixed : std::max<SQLLEN>(out.buffer_length, 0);
  out.value = place(static_cast<char*>(out.value), bytes);
  out.indicator = place(out.indicator, SQLLEN{sizeof(SQLLEN)});
  out.octet_length = nullptr;
  return out;
}

/// How many of the parameters are bound before the first that is not.
std::uint32_t bound_at_first(const Statement& stmt, std::uint32_t markers) {
  const BoundParameters all = BoundParameters::of(stmt, markers);
  std::uint32_t count = 0;
  while (count < markers && count < all.bindings().size() && all.bindings()[count].bound) ++count;
  return count;
}

void set_array(Statement& part, SQLINTEGER attribute, void* value) {
  Attribute one;
  one.attribute = attribute;
  one.value = value;
  set_stmt_attribute(*part.library, part.real, one);
}

/// The array that the part takes its parameters from; one set: none.
void give_array(Statement& part, SQLULEN sets, SQLUSMALLINT* status, SQLULEN* processed) {
  if (part.paramset_size == sets && sets == 1) return;
  part.paramset_size = sets;
  part.param_status = status;
  part.params_processed = processed;
  set_array(part, SQL_ATTR_PARAMSET_SIZE, reinterpret_cast<void*>(sets));
  set_array(part, SQL_ATTR_PARAM_STATUS_PTR, status);
  set_array(part, SQL_ATTR_PARAMS_PROCESSED_PTR, processed);
}

std::vector<Diagnostic> take_from(Statement& part) {
  if (part.diagnostics.empty()) {
    take_diagnostics(*part.library, SQL_HANDLE_STMT, part.current.load(), part.connection.wide,
                     part);
  }
  return std::exchange(part.diagnostics, {});
}

/// Keeps the session marked while it lives. Taken with write_mutex held.
class MarkKept {
 public:
  MarkKept(Session& session, bool idle) : session_(session) { session.keep_mark(idle); }
  ~MarkKept() {
    const std::lock_guard lock(session_.dbc.write_mutex);
    session_.release_mark();
  }
  MarkKept(const MarkKept&) = delete;
  MarkKept& operator=(const MarkKept&) = delete;

 private:
  Session& session_;
};

/// One execution of such a text.
class Parts {
 public:
  Parts(Statement& stmt, Session& session, bool direct, sql::ConnectorBatch batch)
      : stmt_(stmt), session_(session), direct_(direct), batch_(std::move(batch)) {}

  /// With write_mutex held.
  [[nodiscard]] bool can_be_told() {
    std::uint32_t markers = 0;
    for (const sql::BatchPart& part : batch_.parts) {
      markers += part.parameters;
      const auto definition = called_definition(stmt_, std::string(part.text));
      if (definition && sql::may_send_results(*definition)) return false;
    }
    bound_ = BoundParameters::of(stmt_, bound_at_first(stmt_, markers));
    if (bound_.obstacle() != nullptr || !bound_.late_values().empty()) return false;
    const auto* first = bound_.bindings().data();
    if (!std::all_of(first, first + bound_.count(), is_plain)) return false;
    sets_ = bound_.sets();
    return (sets_ == 1 || array_can_be_told(markers)) && make_ready();
  }

  SQLRETURN run() {
    if (!batch_.as_text && bound_.processed() != nullptr) *bound_.processed() = 0;
    std::uint32_t first = 0;  // marker
    for (std::size_t i = 0; i < batch_.parts.size(); ++i) {
      Statement& part = *execution().parts[i];
      SQLRETURN ret = SQL_ERROR;
      if (!stuck_) ret = i == 0 && sent_as_array() ? run_array(part) : run_sets(part, i, first);
      if (ended_ && batch_.as_text) break;
      first += batch_.parts[i].parameters;
      keep_result(part, ret);
      if (ended_) break;
    }
    if (stuck_) {
      shown_.front().rows = -1;
      counts_.front() = 0;
    }
    return show();
  }

 private:
  [[nodiscard]] Execution& execution() const { return *stmt_.execution; }

  /// Of an array whose first statement is sent as one the real driver takes no statement without
  /// parameters; otherwise it repeats these.
  [[nodiscard]] bool array_can_be_told(std::uint32_t markers) const {
    return markers == bound_.count() && bound_.operation() == nullptr &&
           std::all_of(batch_.parts.begin(), batch_.parts.end(),
                       [](const sql::BatchPart& part) { return part.parameters > 0; }) &&
           (!sent_as_array() || sql::server_takes_array(batch_.parts.front().text));
  }

  /// By the first word of the text, and the first statement of it alone.
  [[nodiscard]] bool sent_as_array() const {
    return sets_ > 1 && bound_.bind_type() == SQL_PARAM_BIND_BY_COLUMN &&
           sql::sent_as_one_array(execution().text());
  }

  /// A statement for each part, with the application's settings.
  bool make_ready() {
    std::vector<std::unique_ptr<Statement>>& parts = execution().parts;
    while (parts.size() < batch_.parts.size()) {
      auto part = std::make_unique<Statement>(stmt_.connection);
      part->whole = &stmt_;
      part->library = stmt_.library;
      part->home = stmt_.home;
      part->make_implicit();
      if (!SQL_SUCCEEDED(real_alloc_statement(stmt_.connection, &part->real))) return false;
      part->current.store(part->real, std::memory_order_release);
      execution_of(*part);
      parts.push_back(std::move(part));
    }
    const bool same = !direct_ && execution().parts_text == execution().text();
    execution().parts_text = direct_ ? std::string() : execution().text();
    for (const std::unique_ptr<Statement>& part : parts) {
      part->prepared = part->prepared && same;
      give_array(*part, 1, nullptr, nullptr);
      part->attributes.clear();
      for (const Attribute& one : stmt_.attributes) {
        if (kept_from_clone(one.attribute)) continue;
        part->attributes.push_back(one);
        set_stmt_attribute(*part->library, part->real, one);
      }
    }
    return true;
  }

  /// Those of the part that are bound, of this set, or of all that begin with it.
  void bind(Statement& part, std::uint32_t first, std::uint32_t markers, std::size_t set) const {
    const real::Entries& fn = part.library->fn;
    if (!part.parameters.empty() && fn.FreeStmt != nullptr) {
      fn.FreeStmt(part.real, SQL_RESET_PARAMS);
      part.execution->own.forget_parameters();
      part.parameters.clear();
    }
    const std::uint32_t last = std::min(first + markers, bound_.count());
    for (std::uint32_t i = first; i < last && fn.BindParameter != nullptr; ++i) {
      const ParameterBinding one = of_set(bound_, set, i);
      fn.BindParameter(part.real, static_cast<SQLUSMALLINT>(i - first + 1), one.io_type, one.c_type,
                       one.sql_type, one.column_size, one.digits, one.value, one.buffer_length,
                       one.indicator);
      part.parameters.push_back(one);
    }
  }

  /// One command of the server: all sets, or none, or those before the one that fails.
  SQLRETURN run_array(Statement& part) {
    bind(part, 0, batch_.parts.front().parameters, 0);
    SQLULEN processed = 0;
    give_array(part, sets_, bound_.status(), &processed);
    const SQLRETURN ret = run_one(part, batch_.parts.front());
    if (done(ret)) {
      add_processed(sets_);
    } else {
      errors_ = sets_;
      failed_ = take_from(part);
      stuck_ = true;
    }
    give_array(part, 1, nullptr, nullptr);
    return ret;
  }

  /// Set after set. Behind one that failed the real driver takes its error for that of the next
  /// parameter it looks at, and gives up there.
  SQLRETURN run_sets(Statement& part, std::size_t number, std::uint32_t first) {
    const sql::BatchPart& what = batch_.parts[number];
    SQLRETURN ret = SQL_ERROR;
    for (std::size_t set = 0; set < sets_; ++set) {
      if (!batch_.as_text) add_processed(1);
      stuck_ = errors_ > 0 && what.parameters > 0;
      if (stuck_) {
        ++errors_;
        return SQL_ERROR;
      }
      bind(part, first, what.parameters, set);
      ret = run_one(part, what);
      if (done(ret)) {
        tell_status(set, SQL_PARAM_SUCCESS);
        continue;
      }
      ++errors_;
      failed_ = take_from(part);
      ended_ = set == 0 && ends_with(number);
      stuck_ = first + what.parameters > bound_.count();  // it has found one that is not bound
      if (unprepared_ && bound_.processed() != nullptr) --*bound_.processed();
      if (ended_ || stuck_) break;
      tell_status(set, set + 1 == sets_ ? SQL_PARAM_ERROR : SQL_PARAM_DIAG_UNAVAILABLE);
    }
    return ret;
  }

  void add_processed(SQLULEN sets) const {
    if (bound_.processed() != nullptr) *bound_.processed() += sets;
  }

  void tell_status(std::size_t set, SQLUSMALLINT status) const {
    if (!batch_.as_text && bound_.status() != nullptr) bound_.status()[set] = status;
  }

  SQLRETURN run_one(Statement& part, const sql::BatchPart& what) const {
    const std::string_view text = what.text;
    const bool all_bound = part.parameters.size() == what.parameters;
    part.diagnostics.clear();
    if (part.prepared) return execute(part);
    std::string narrow(text);
    std::u16string wide = execution().wide() ? real::to_utf16(text) : std::u16string();
    SqlText given{reinterpret_cast<SQLCHAR*>(narrow.data()), nullptr,
                  static_cast<SQLINTEGER>(narrow.size())};
    if (execution().wide()) {
      given = {nullptr, reinterpret_cast<SQLWCHAR*>(wide.data()),
               static_cast<SQLINTEGER>(wide.size())};
    }
    // Unbound parameters the real driver finds in what it has prepared.
    if (direct_ && sets_ == 1 && all_bound) return exec_direct(part, given);
    const SQLRETURN ret = prepare(part, given);
    return SQL_SUCCEEDED(ret) ? execute(part) : ret;
  }

  void keep_result(Statement& part, SQLRETURN ret) {
    if (ret == SQL_SUCCESS_WITH_INFO && shown_.empty()) warned_ = take_from(part);
    Execution::Shown& result = shown_.emplace_back();
    result.part = &part;
    if (done(ret)) {
      SQLSMALLINT columns = 0;
      num_result_cols(part, &columns);
      result.has_rows = columns > 0;
      row_count(part, &result.rows);
    }
    counts_.push_back(result.has_rows || result.rows < 0 ? 0 : result.rows);
  }

  /// Of a text that is sent as it is the server runs no more; of statements that are prepared one
  /// by one while they are executed the real driver stops at one that cannot be prepared.
  bool ends_with(std::size_t failed) {
    const bool last = sets_ == 1 && failed + 1 == batch_.parts.size();
    if (batch_.as_text || last || !direct_) return batch_.as_text;
    const std::lock_guard lock(session_.dbc.write_mutex);
    const std::string ask = sql::prepare_to_ask(batch_.parts[failed].text);
    unprepared_ = !SQL_SUCCEEDED(session_.send_aside(ask));
    if (!unprepared_) session_.send_aside(sql::kForgetAsked);
    return unprepared_;
  }

  SQLRETURN show() {
    Execution& execution = this->execution();
    execution.stands_in = true;
    execution.plain = batch_.as_text;
    execution.rows_last = -1;
    if (shown_.empty() || unprepared_) {
      close_parts(stmt_);
      stmt_.run_on(stmt_.real);
      stmt_.diagnostics = std::move(failed_);
      return SQL_ERROR;
    }
    execution.shown = std::move(shown_);
    execution.counts = std::move(counts_);
    execution.show(0);
    if (failed_.empty()) {
      stmt_.diagnostics = std::move(warned_);
      return stmt_.diagnostics.empty() ? SQL_SUCCESS : SQL_SUCCESS_WITH_INFO;
    }
    if (!batch_.as_text) {
      stmt_.diagnostics = std::move(failed_);
      return errors_ < sets_ ? SQL_SUCCESS_WITH_INFO : SQL_ERROR;
    }
    tell_late();
    return SQL_SUCCESS;
  }

  /// What the server says of a later statement the real driver has no SQLSTATE for.
  void tell_late() {
    failed_.resize(1);
    std::memcpy(failed_.front().sqlstate, "HY000", sizeof failed_.front().sqlstate);
    failed_.front().native = 0;
    execution().failed_set = std::move(failed_);
  }

  Statement& stmt_;
  Session& session_;
  const bool direct_;
  const sql::ConnectorBatch batch_;
  BoundParameters bound_;  // the application's, up to the first parameter that is not bound
  std::size_t sets_ = 1;
  std::size_t errors_ = 0;  // as the real driver counts them, one too many where it gives up
  bool stuck_ = false;      // it has given up
  bool ended_ = false;      // nothing follows
  std::vector<Execution::Shown> shown_;
  std::vector<SQLLEN> counts_;
  std::vector<Diagnostic> failed_;  // of the last part that failed
  std::vector<Diagnostic> warned_;
  bool unprepared_ = false;
};

}  // namespace

bool takes_several_statements(const Session& session) {
  const auto key = [&](const char* name) {
    return real::connect_key(session.dbc.connect_text, session.dbc.settings.dsn, name);
  };
  std::string given = key("OPTION");
  if (given.empty()) given = key("OPTIONS");
  return (std::strtoul(given.c_str(), nullptr, 10) & kMultiStatements) != 0;
}

std::optional<SQLRETURN> run_parts(Statement& stmt, Session& session, bool direct,
                                   const RunsUnchanged& unchanged) {
  Execution& execution = *stmt.execution;
  const sql::Classification& what = execution.classification();
  if (what.statements < 2 || what.cls != sql::StatementClass::opaque) return std::nullopt;
  if (!records(session.mode())) return std::nullopt;
  if (!takes_several_statements(session)) {
    return run_uncaptured(stmt, session, kSeveral, unchanged);  // the server refuses them
  }
  if (runs_specially(stmt) || !session.quotes_as_usual(execution.text())) return std::nullopt;
  auto batch = sql::connector_batch(execution.text());
  if (!batch) return std::nullopt;
  if (batch->parts.size() == 1) return run_uncaptured(stmt, session, kSeveral, unchanged);
  Parts parts(stmt, session, direct, std::move(*batch));
  std::unique_lock lock(session.dbc.write_mutex);
  if (execution.pending != nullptr) abandon_pending(stmt, session);
  const bool idle = !session.transaction.writing;
  BeginWrite how = BeginWrite::unrecorded;
  SQLRETURN ret = SQL_ERROR;
  if (!begin_marked(stmt, session, &how, &ret)) return ret;
  if (how != BeginWrite::recorded || !parts.can_be_told()) {
    if (idle) session.lost();
    return std::nullopt;
  }
  const MarkKept kept(session, idle);
  lock.unlock();
  return parts.run();
}

void show_part(Statement& stmt, const Execution::Shown& result) {
  Execution& execution = *stmt.execution;
  Statement& part = *result.part;
  execution.visible = result.has_rows;
  execution.hidden = !result.has_rows;
  execution.clipped = part.execution->clipped;
  execution.rows_last = result.rows;
  const SQLHSTMT real = part.current.load(std::memory_order_acquire);
  stmt.current.store(real, std::memory_order_release);
  if (!execution.visible) return;
  for (const Attribute& one : stmt.attributes) {
    if (!kept_from_clone(one.attribute)) set_stmt_attribute(*part.library, real, one);
  }
  bind_columns(stmt, real);
}

void close_parts(Statement& stmt) {
  for (const std::unique_ptr<Statement>& part : stmt.execution->parts) {
    (void)free_stmt(*part, SQL_CLOSE);
  }
}

void drop_parts(Statement& stmt) {
  for (const std::unique_ptr<Statement>& part : stmt.execution->parts) {
    part->execution->drop_own();
    SQLHSTMT expected = part->real;
    stmt.current.compare_exchange_strong(expected, stmt.real, std::memory_order_acq_rel);
    real_free_statement(*part->library, part->real);
  }
  stmt.execution->parts.clear();
}

}  // namespace understudy::capture
