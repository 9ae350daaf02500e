// The mock driver's state: its handles and what the script says.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "tests/support/mock_driver/script.h"

namespace understudy::mock {

class Driver final : public Script {
 public:
  static Driver& instance();

  /// Every exported entry ends here.
  SQLRETURN called(Call call);

  void reset() override;
  void once(std::string_view entry, Answer answer) override;
  void always(std::string_view entry, Answer answer) override;
  void leave(std::string_view part, Result result) override;
  void info(SQLUSMALLINT type, std::string value) override;
  void deny(SQLUSMALLINT function) override;
  void endless_diagnostics() override;
  void die() override;
  [[nodiscard]] std::vector<Call> calls() const override;
  [[nodiscard]] std::vector<Call> calls(std::string_view entry) const override;
  [[nodiscard]] std::size_t live(SQLSMALLINT type) const override;
  [[nodiscard]] std::size_t misuses() const override;
  [[nodiscard]] std::vector<std::string> committed() const override;

 private:
  struct Handle {
    SQLHANDLE address() { return this; }
    SQLSMALLINT type = 0;
    Handle* parent = nullptr;
    bool implicit = false;
    std::vector<Diagnostic> diagnostics;
    bool autocommit = true;            // of a connection
    std::vector<std::string> pending;  // of a connection: statements of its transaction
    std::string text;                  // of a statement: what was prepared
    Result result;
    std::size_t next_row = 0;
    std::array<Handle*, 4> descriptors{};
  };

  // All of these with the lock held.
  Answer answer_of(const std::string& entry);
  Handle* find(SQLHANDLE address);
  Handle* addressed(const Call& call);
  SQLRETURN work(const Call& call, Handle* handle);
  SQLRETURN allocate(const Call& call);
  Handle* make(SQLSMALLINT type, Handle* parent);
  void forget_children(const Handle* parent);
  SQLRETURN release(Handle* handle);
  SQLRETURN free_stmt(const Call& call, Handle& handle);
  SQLRETURN diagnose(const Call& call, Handle& handle);
  static SQLRETURN diagnose_field(const Call& call, Handle& handle);
  SQLRETURN tell_and_forget(const Call& call, Handle& handle);
  SQLRETURN work_of_connection(const Call& call, Handle& dbc);
  SQLRETURN work_of_statement(const Call& call, Handle& stmt);
  void end(Handle& dbc, SQLSMALLINT completion);
  void set_connect_attribute(const Call& call, Handle& dbc);
  void get_connect_attribute(const Call& call, const Handle& dbc);
  SQLRETURN tell_info(const Call& call);
  void execute(Handle& stmt, const std::string& text);
  static SQLRETURN get_data(const Call& call, Handle& stmt);
  void get_statement_attribute(const Call& call, Handle& stmt);
  void tell_functions(const Call& call);

  mutable std::mutex mutex_;
  std::map<SQLHANDLE, std::unique_ptr<Handle>> handles_;
  std::map<std::string, std::deque<Answer>, std::less<>> once_;
  std::map<std::string, Answer, std::less<>> always_;
  std::vector<std::pair<std::string, Result>> results_;
  std::vector<Call> calls_;
  std::map<SQLUSMALLINT, std::string> info_;
  std::set<SQLUSMALLINT> denied_;
  std::vector<std::string> committed_;
  std::size_t misuses_ = 0;
  bool endless_ = false;
  bool dead_ = false;
};

/// The numbers of SQLGetFunctions of what this copy of the library really exports.
const std::vector<SQLUSMALLINT>& exported_functions();

}  // namespace understudy::mock
