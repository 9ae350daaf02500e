// What the mock driver does when nobody has told it otherwise: enough of a driver for a driver
// manager and for the recorder to work with.
#include "tests/support/mock_driver/driver.h"

#include <dlfcn.h>
#include <strings.h>

#include <algorithm>
#include <cstring>

namespace understudy::mock {
namespace {

constexpr std::size_t kHandleKinds = 5;

SQLHANDLE handle_at(const Call& call, std::size_t argument) {
  return reinterpret_cast<SQLHANDLE>(call.values[argument]);
}

// Which argument names the handle whose diagnostics a call replaces.
std::size_t handle_argument(const std::string& entry) {
  for (const char* typed : {"AllocHandle", "FreeHandle", "EndTran", "CancelHandle", "GetDiagRec",
                            "GetDiagRecW", "GetDiagField", "GetDiagFieldW", "Transact"}) {
    if (entry == typed) return 1;
  }
  return 0;
}

bool tells_diagnostics(const std::string& entry) {
  return entry.starts_with("GetDiag") || entry == "Error";
}

bool asks_server(const std::string& entry) {
  for (const char* one : {"Execute", "ExecDirect", "ExecDirectW", "Prepare", "PrepareW", "EndTran",
                          "Transact", "Fetch", "BulkOperations", "SetPos"}) {
    if (entry == one) return true;
  }
  return false;
}

// The statement or connection text among the arguments; its length follows it.
std::size_t text_argument(const std::string& entry) {
  const std::string plain = entry.ends_with("W") ? entry.substr(0, entry.size() - 1) : entry;
  if (plain == "DriverConnect") return 2;
  for (const char* one : {"Connect", "BrowseConnect", "Prepare", "ExecDirect", "NativeSql",
                          "SetCursorName", "Tables"}) {
    if (plain == one) return 1;
  }
  return 0;
}

std::string read_text(const Call& call) {
  const std::size_t at = text_argument(call.entry);
  if (at == 0 || call.values[at] == 0) return {};
  const auto given = static_cast<SQLINTEGER>(call.values[at + 1]);
  std::string text;
  const auto take = [&](auto* units) {
    for (std::size_t i = 0; given < 0 ? units[i] != 0 : i < static_cast<std::size_t>(given); ++i) {
      text.push_back(static_cast<char>(units[i]));
    }
  };
  if (call.entry.ends_with("W")) {
    take(&call.at<SQLWCHAR>(at));
  } else {
    take(&call.at<SQLCHAR>(at));
  }
  return text;
}

/// Copies a text as an entry does, W or not; `capacity` in units. Returns whether it was cut.
bool put_text(bool wide, std::string_view text, void* out, std::size_t capacity) {
  if (out == nullptr || capacity == 0) return out != nullptr && !text.empty();
  const std::size_t units = std::min(text.size(), capacity - 1);
  for (std::size_t i = 0; i <= units; ++i) {
    const char c = i < units ? text[i] : '\0';
    if (wide) {
      static_cast<SQLWCHAR*>(out)[i] = static_cast<unsigned char>(c);
    } else {
      static_cast<char*>(out)[i] = c;
    }
  }
  return units < text.size();
}

template <class T>
void put(const Call& call, std::size_t argument, T value) {
  if (call.values[argument] != 0) call.at<T>(argument) = value;
}

bool is_query(const Result& result) {
  return !result.columns.empty();
}

}  // namespace

Driver& Driver::instance() {
  // Leaked on purpose: the driver under test may call while the process exits.
  static Driver* const driver = new Driver;
  return *driver;
}

void Driver::reset() {
  const std::lock_guard lock(mutex_);
  once_.clear();
  always_.clear();
  results_.clear();
  calls_.clear();
  info_.clear();
  denied_.clear();
  committed_.clear();
  misuses_ = 0;
  endless_ = false;
  dead_ = false;
}

void Driver::once(std::string_view entry, Answer answer) {
  const std::lock_guard lock(mutex_);
  once_[std::string(entry)].push_back(std::move(answer));
}

void Driver::always(std::string_view entry, Answer answer) {
  const std::lock_guard lock(mutex_);
  always_.insert_or_assign(std::string(entry), std::move(answer));
}

void Driver::leave(std::string_view part, Result result) {
  const std::lock_guard lock(mutex_);
  results_.emplace_back(std::string(part), std::move(result));
}

void Driver::info(SQLUSMALLINT type, std::string value) {
  const std::lock_guard lock(mutex_);
  info_[type] = std::move(value);
}

void Driver::deny(SQLUSMALLINT function) {
  const std::lock_guard lock(mutex_);
  denied_.insert(function);
}

void Driver::endless_diagnostics() {
  const std::lock_guard lock(mutex_);
  endless_ = true;
}

void Driver::die() {
  const std::lock_guard lock(mutex_);
  dead_ = true;
}

std::vector<Call> Driver::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::vector<Call> Driver::calls(std::string_view entry) const {
  const std::lock_guard lock(mutex_);
  std::vector<Call> found;
  for (const Call& call : calls_) {
    if (call.entry == entry) found.push_back(call);
  }
  return found;
}

std::size_t Driver::live(SQLSMALLINT type) const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [address, handle] : handles_) {
    if (handle->type == type && !handle->implicit) ++count;
  }
  return count;
}

std::size_t Driver::misuses() const {
  const std::lock_guard lock(mutex_);
  return misuses_;
}

std::vector<std::string> Driver::committed() const {
  const std::lock_guard lock(mutex_);
  return committed_;
}

SQLRETURN Driver::called(Call call) {
  call.text = read_text(call);
  call.thread = std::this_thread::get_id();
  Answer answer;
  {
    const std::lock_guard lock(mutex_);
    calls_.push_back(call);
    answer = answer_of(call.entry);
  }
  if (answer.hook) answer.hook(call);
  const std::lock_guard lock(mutex_);
  Handle* handle = addressed(call);
  if (handle != nullptr && !tells_diagnostics(call.entry)) handle->diagnostics.clear();
  SQLRETURN ret = SQL_SUCCESS;
  if (answer.works) ret = work(call, handle);
  if (answer.coded) ret = answer.code;
  handle = addressed(call);  // it may be gone
  if (handle != nullptr && !answer.diagnostics.empty()) handle->diagnostics = answer.diagnostics;
  return ret;
}

Answer Driver::answer_of(const std::string& entry) {
  if (const auto queue = once_.find(entry); queue != once_.end() && !queue->second.empty()) {
    Answer next = std::move(queue->second.front());
    queue->second.pop_front();
    return next;
  }
  const auto fixed = always_.find(entry);
  return fixed == always_.end() ? Answer{} : fixed->second;
}

Driver::Handle* Driver::find(SQLHANDLE address) {
  const auto found = handles_.find(address);
  return found == handles_.end() ? nullptr : found->second.get();
}

Driver::Handle* Driver::addressed(const Call& call) {
  if (call.entry == "Error") {
    for (const std::size_t argument : {2, 1, 0}) {
      if (call.values[argument] != 0) return find(handle_at(call, argument));
    }
    return nullptr;
  }
  return find(handle_at(call, handle_argument(call.entry)));
}

SQLRETURN Driver::work(const Call& call, Handle* handle) {
  const std::string& entry = call.entry;
  if (entry == "AllocHandle" || entry == "AllocEnv" || entry == "AllocConnect" ||
      entry == "AllocStmt") {
    return allocate(call);
  }
  if (handle == nullptr) {
    ++misuses_;
    return SQL_INVALID_HANDLE;
  }
  if (dead_ && asks_server(entry)) {
    handle->diagnostics = {{"08S01", 57, "the connection is lost"}};
    return SQL_ERROR;
  }
  if (entry == "FreeHandle" || entry == "FreeEnv" || entry == "FreeConnect") {
    return release(handle);
  }
  if (entry == "FreeStmt") return free_stmt(call, *handle);
  if (tells_diagnostics(entry)) return diagnose(call, *handle);
  if (handle->type == SQL_HANDLE_DBC) return work_of_connection(call, *handle);
  if (handle->type == SQL_HANDLE_STMT) return work_of_statement(call, *handle);
  if (entry == "GetEnvAttr") put(call, 2, SQLINTEGER{SQL_OV_ODBC3});
  return SQL_SUCCESS;
}

SQLRETURN Driver::allocate(const Call& call) {
  SQLSMALLINT type = SQL_HANDLE_ENV;
  std::size_t out = 0;
  if (call.entry == "AllocHandle") {
    type = static_cast<SQLSMALLINT>(call.values[0]);
    out = 2;
  } else if (call.entry != "AllocEnv") {
    type = call.entry == "AllocConnect" ? SQL_HANDLE_DBC : SQL_HANDLE_STMT;
    out = 1;
  }
  Handle* parent = type == SQL_HANDLE_ENV ? nullptr : find(handle_at(call, out - 1));
  if (type != SQL_HANDLE_ENV && parent == nullptr) {
    ++misuses_;
    return SQL_INVALID_HANDLE;
  }
  call.at<SQLHANDLE>(out) = make(type, parent)->address();
  return SQL_SUCCESS;
}

Driver::Handle* Driver::make(SQLSMALLINT type, Handle* parent) {
  auto handle = std::make_unique<Handle>();
  handle->type = type;
  handle->parent = parent;
  Handle* made = handle.get();
  handles_.emplace(made->address(), std::move(handle));
  return made;
}

void Driver::forget_children(const Handle* parent) {
  std::vector<Handle*> children;
  for (const auto& [address, handle] : handles_) {
    if (handle->parent == parent) children.push_back(handle.get());
  }
  for (Handle* child : children) {
    forget_children(child);
    handles_.erase(child->address());
  }
}

SQLRETURN Driver::release(Handle* handle) {
  const bool busy = handle->type == SQL_HANDLE_ENV || handle->type == SQL_HANDLE_DBC;
  for (const auto& [address, other] : handles_) {
    if (busy && other->parent == handle) {
      handle->diagnostics = {{"HY010", 0, "handles are left"}};
      return SQL_ERROR;
    }
  }
  forget_children(handle);
  handles_.erase(handle->address());
  return SQL_SUCCESS;
}

SQLRETURN Driver::free_stmt(const Call& call, Handle& handle) {
  const auto option = static_cast<SQLUSMALLINT>(call.values[1]);
  if (option == SQL_DROP) return release(&handle);
  if (option == SQL_CLOSE) handle.result = {};
  return SQL_SUCCESS;
}

SQLRETURN Driver::diagnose(const Call& call, Handle& handle) {
  if (call.entry == "Error") return tell_and_forget(call, handle);
  if (call.entry.starts_with("GetDiagField")) return diagnose_field(call, handle);
  const bool wide = call.entry.ends_with("W");
  auto record = static_cast<std::size_t>(static_cast<SQLSMALLINT>(call.values[2]));
  if (endless_ && !handle.diagnostics.empty()) record = std::min(record, handle.diagnostics.size());
  if (record == 0 || record > handle.diagnostics.size()) return SQL_NO_DATA;
  const Diagnostic& told = handle.diagnostics[record - 1];
  put_text(wide, told.state, handle_at(call, 3), SQL_SQLSTATE_SIZE + 1);
  put(call, 4, told.native);
  put(call, 7, static_cast<SQLSMALLINT>(told.message.size()));
  const auto capacity = static_cast<std::size_t>(static_cast<SQLSMALLINT>(call.values[6]));
  return put_text(wide, told.message, handle_at(call, 5), capacity) ? SQL_SUCCESS_WITH_INFO
                                                                    : SQL_SUCCESS;
}

// As libsqlite3odbc's: each diagnostic once, unless they are to be endless.
SQLRETURN Driver::tell_and_forget(const Call& call, Handle& handle) {
  if (handle.diagnostics.empty()) return SQL_NO_DATA;
  const Diagnostic told = handle.diagnostics.front();
  if (!endless_) handle.diagnostics.erase(handle.diagnostics.begin());
  put_text(false, told.state, handle_at(call, 3), SQL_SQLSTATE_SIZE + 1);
  put(call, 4, told.native);
  put(call, 7, static_cast<SQLSMALLINT>(told.message.size()));
  put_text(false, told.message, handle_at(call, 5),
           static_cast<std::size_t>(static_cast<SQLSMALLINT>(call.values[6])));
  return SQL_SUCCESS;
}

SQLRETURN Driver::diagnose_field(const Call& call, Handle& handle) {
  const auto record = static_cast<std::size_t>(static_cast<SQLSMALLINT>(call.values[2]));
  const auto field = static_cast<SQLSMALLINT>(call.values[3]);
  if (record == 0 && field == SQL_DIAG_NUMBER) {
    put(call, 4, static_cast<SQLINTEGER>(handle.diagnostics.size()));
    return SQL_SUCCESS;
  }
  if (record == 0 || record > handle.diagnostics.size()) return SQL_NO_DATA;
  const Diagnostic& told = handle.diagnostics[record - 1];
  if (field == SQL_DIAG_NATIVE) {
    put(call, 4, told.native);
    return SQL_SUCCESS;
  }
  const bool wide = call.entry.ends_with("W");
  const std::size_t unit = wide ? sizeof(SQLWCHAR) : 1;
  const std::string& text = field == SQL_DIAG_SQLSTATE ? told.state : told.message;
  put(call, 6, static_cast<SQLSMALLINT>(text.size() * unit));
  const auto capacity = static_cast<std::size_t>(static_cast<SQLSMALLINT>(call.values[5]));
  return put_text(wide, text, handle_at(call, 4), capacity / unit) ? SQL_SUCCESS_WITH_INFO
                                                                   : SQL_SUCCESS;
}

SQLRETURN Driver::work_of_connection(const Call& call, Handle& dbc) {
  const std::string& entry = call.entry;
  if (entry == "Disconnect") {
    forget_children(&dbc);
    dbc.pending.clear();
  } else if (entry == "EndTran" || entry == "Transact") {
    end(dbc, static_cast<SQLSMALLINT>(call.values[2]));
  } else if (entry == "SetConnectAttr" || entry == "SetConnectAttrW" ||
             entry == "SetConnectOption") {
    set_connect_attribute(call, dbc);
  } else if (entry == "GetConnectAttr" || entry == "GetConnectAttrW") {
    get_connect_attribute(call, dbc);
  } else if (entry == "GetInfo" || entry == "GetInfoW") {
    return tell_info(call);
  } else if (entry == "GetFunctions") {
    tell_functions(call);
  }
  return SQL_SUCCESS;
}

void Driver::end(Handle& dbc, SQLSMALLINT completion) {
  if (completion == SQL_COMMIT) {
    committed_.insert(committed_.end(), dbc.pending.begin(), dbc.pending.end());
  }
  dbc.pending.clear();
}

void Driver::set_connect_attribute(const Call& call, Handle& dbc) {
  if (static_cast<SQLINTEGER>(call.values[1]) != SQL_ATTR_AUTOCOMMIT) return;
  dbc.autocommit = call.values[2] != SQL_AUTOCOMMIT_OFF;
  if (dbc.autocommit) end(dbc, SQL_COMMIT);
}

void Driver::get_connect_attribute(const Call& call, const Handle& dbc) {
  const auto attribute = static_cast<SQLINTEGER>(call.values[1]);
  SQLUINTEGER value = 0;
  if (attribute == SQL_ATTR_AUTOCOMMIT) value = dbc.autocommit ? 1 : 0;
  if (attribute == SQL_ATTR_CONNECTION_DEAD) value = dead_ ? SQL_CD_TRUE : SQL_CD_FALSE;
  put(call, 2, value);
}

SQLRETURN Driver::tell_info(const Call& call) {
  const auto type = static_cast<SQLUSMALLINT>(call.values[1]);
  const auto known = info_.find(type);
  const bool names = type == SQL_DBMS_NAME || type == SQL_DRIVER_NAME;
  if (known == info_.end() && !names) {
    put(call, 2, SQLUSMALLINT{0});  // the number 0, or the empty text
    put(call, 4, SQLSMALLINT{0});
    return SQL_SUCCESS;
  }
  const std::string text = known == info_.end() ? "Mock" : known->second;
  const bool wide = call.entry.ends_with("W");
  const std::size_t unit = wide ? sizeof(SQLWCHAR) : 1;
  put(call, 4, static_cast<SQLSMALLINT>(text.size() * unit));
  const auto capacity = static_cast<std::size_t>(static_cast<SQLSMALLINT>(call.values[3]));
  return put_text(wide, text, handle_at(call, 2), capacity / unit) ? SQL_SUCCESS_WITH_INFO
                                                                   : SQL_SUCCESS;
}

SQLRETURN Driver::work_of_statement(const Call& call, Handle& stmt) {
  const std::string& entry = call.entry;
  if (entry == "Prepare" || entry == "PrepareW") {
    stmt.text = call.text;
  } else if (entry == "ExecDirect" || entry == "ExecDirectW") {
    execute(stmt, call.text);
  } else if (entry == "Execute") {
    execute(stmt, stmt.text);
  } else if (entry == "RowCount") {
    put(call, 1, is_query(stmt.result) ? SQLLEN{-1} : stmt.result.row_count);
  } else if (entry == "NumResultCols") {
    put(call, 1, static_cast<SQLSMALLINT>(stmt.result.columns.size()));
  } else if (entry == "Fetch" || entry == "FetchScroll" || entry == "ExtendedFetch") {
    if (stmt.next_row >= stmt.result.rows.size()) return SQL_NO_DATA;
    ++stmt.next_row;
  } else if (entry == "GetData") {
    return get_data(call, stmt);
  } else if (entry == "MoreResults") {
    return SQL_NO_DATA;
  } else if (entry == "CloseCursor") {
    stmt.result = {};
  } else if (entry == "GetStmtAttr" || entry == "GetStmtAttrW") {
    get_statement_attribute(call, stmt);
  }
  return SQL_SUCCESS;
}

void Driver::execute(Handle& stmt, const std::string& text) {
  stmt.next_row = 0;
  stmt.result = {};
  for (const auto& [part, result] : results_) {
    if (text.find(part) != std::string::npos) stmt.result = result;
  }
  if (is_query(stmt.result)) return;
  Handle& dbc = *stmt.parent;
  dbc.pending.push_back(text);
  if (dbc.autocommit) end(dbc, SQL_COMMIT);
}

SQLRETURN Driver::get_data(const Call& call, Handle& stmt) {
  const auto column = static_cast<std::size_t>(static_cast<SQLUSMALLINT>(call.values[1]));
  const bool wide = static_cast<SQLSMALLINT>(call.values[2]) == SQL_C_WCHAR;
  const std::size_t unit = wide ? sizeof(SQLWCHAR) : 1;
  if (stmt.next_row == 0 || column == 0 || column > stmt.result.columns.size()) return SQL_ERROR;
  const std::string& text = stmt.result.rows[stmt.next_row - 1].at(column - 1);
  if (text == std::string(1, '\0')) {
    put(call, 5, SQLLEN{SQL_NULL_DATA});
    return SQL_SUCCESS;
  }
  put(call, 5, static_cast<SQLLEN>(text.size() * unit));
  const auto capacity = static_cast<std::size_t>(call.values[4]);
  return put_text(wide, text, handle_at(call, 3), capacity / unit) ? SQL_SUCCESS_WITH_INFO
                                                                   : SQL_SUCCESS;
}

void Driver::get_statement_attribute(const Call& call, Handle& stmt) {
  const auto attribute = static_cast<SQLINTEGER>(call.values[1]);
  const auto index = static_cast<std::size_t>(attribute - SQL_ATTR_APP_ROW_DESC);
  if (index >= stmt.descriptors.size()) {
    put(call, 2, SQLULEN{0});
    return;
  }
  Handle*& descriptor = stmt.descriptors[index];
  if (descriptor == nullptr) {
    descriptor = make(SQL_HANDLE_DESC, &stmt);
    descriptor->implicit = true;
  }
  put(call, 2, descriptor->address());
}

void Driver::tell_functions(const Call& call) {
  const auto asked = static_cast<SQLUSMALLINT>(call.values[1]);
  auto* out = reinterpret_cast<SQLUSMALLINT*>(call.values[2]);
  if (asked == SQL_API_ODBC3_ALL_FUNCTIONS) {
    std::fill_n(out, SQL_API_ODBC3_ALL_FUNCTIONS_SIZE, SQLUSMALLINT{0});
    for (const SQLUSMALLINT id : exported_functions()) {
      if (denied_.contains(id)) continue;
      out[id >> 4] = static_cast<SQLUSMALLINT>(out[id >> 4] | (1u << (id & 0xF)));
    }
  } else if (asked != SQL_API_ALL_FUNCTIONS) {
    const auto& all = exported_functions();
    const bool has = std::find(all.begin(), all.end(), asked) != all.end();
    *out = has && !denied_.contains(asked) ? SQL_TRUE : SQL_FALSE;
  }
}

}  // namespace understudy::mock

extern "C" __attribute__((visibility("default"))) understudy::mock::Script* mock_script() {
  return &understudy::mock::Driver::instance();
}
