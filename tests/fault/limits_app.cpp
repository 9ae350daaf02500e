// A program at a limit: plain ODBC, knows nothing of Understudy. Prints "peak_kib N", the most
// memory that it had.
//
//   limits_app CONNECTION-STRING connections N   so many at once, each writes a row
//   limits_app CONNECTION-STRING statements N    so many prepared at once, each writes a row
//   limits_app CONNECTION-STRING rows N          so many rows by one statement of one transaction
//   limits_app CONNECTION-STRING executions N    the same by so many executions of a statement
//   limits_app CONNECTION-STRING arrays N        the same by arrays of a thousand rows
//   limits_app CONNECTION-STRING value MIB       a text of that size, given in pieces of a MiB
//   limits_app CONNECTION-STRING bound MIB       bytes of that size, bound as a whole
//
// Table: big (id integer key, body text, bytes bytea). At an error it prints how far it came and
// the error, and the exit code is 1.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "tests/support/plain_odbc.h"

namespace {

constexpr std::size_t kPieceBytes = 1u << 20;

struct Progress {
  std::int64_t done = 0;
};

[[noreturn]] void fail(SQLHSTMT stmt) {
  SQLCHAR state[6] = {};
  SQLCHAR message[512] = {};
  SQLGetDiagRec(SQL_HANDLE_STMT, stmt, 1, state, nullptr, message, sizeof message, nullptr);
  throw plain::Error(reinterpret_cast<char*>(state), 0, reinterpret_cast<char*>(message));
}

void connections(const std::string& target, std::int64_t count, Progress& progress) {
  std::vector<std::unique_ptr<plain::Connection>> open;
  for (; progress.done < count; ++progress.done) {
    open.push_back(std::make_unique<plain::Connection>(target));
    plain::run(*open.back(), "INSERT INTO big (id, body) VALUES (" + std::to_string(progress.done) +
                                 ", 'a row')");
  }
}

void statements(plain::Connection& connection, std::int64_t count, Progress& progress) {
  std::vector<std::unique_ptr<plain::Statement>> prepared;
  for (; progress.done < count; ++progress.done) {
    const std::string word = "'statement " + std::to_string(progress.done) + "'";
    prepared.push_back(std::make_unique<plain::Statement>(
        connection, "INSERT INTO big (id, body) VALUES (?, " + word + ")"));
    prepared.back()->execute(progress.done);
  }
}

void rows(plain::Connection& connection, std::int64_t count) {
  connection.set_autocommit(false);
  plain::run(connection,
             "INSERT INTO big (id, body) SELECT n, 'row ' || n FROM generate_series(1, " +
                 std::to_string(count) + ") AS n");
  connection.commit();
}

void executions(plain::Connection& connection, std::int64_t count, Progress& progress) {
  connection.set_autocommit(false);
  plain::Statement insert(connection, "INSERT INTO big (id, body) VALUES (?, ?)");
  for (; progress.done < count; ++progress.done)
    insert.execute(progress.done, std::string_view("a row"));
  connection.commit();
}

void arrays(plain::Connection& connection, std::int64_t count, Progress& progress) {
  constexpr std::int64_t kSets = 1000;
  connection.set_autocommit(false);
  SQLHSTMT stmt = SQL_NULL_HSTMT;
  SQLAllocHandle(SQL_HANDLE_STMT, connection.handle(), &stmt);
  std::vector<std::int64_t> ids(kSets);
  std::vector<SQLLEN> lengths(kSets, 0);
  SQLSetStmtAttr(stmt, SQL_ATTR_PARAMSET_SIZE, reinterpret_cast<SQLPOINTER>(kSets), 0);
  SQLBindParameter(stmt, 1, SQL_PARAM_INPUT, SQL_C_SBIGINT, SQL_BIGINT, 0, 0, ids.data(), 0,
                   lengths.data());
  std::string sql = "INSERT INTO big (id, body) VALUES (?, 'a row')";
  for (; progress.done < count; progress.done += kSets) {
    std::iota(ids.begin(), ids.end(), progress.done);
    if (!SQL_SUCCEEDED(SQLExecDirect(stmt, reinterpret_cast<SQLCHAR*>(sql.data()), SQL_NTS)))
      fail(stmt);
  }
  SQLFreeHandle(SQL_HANDLE_STMT, stmt);
  connection.commit();
}

void bound(plain::Connection& connection, std::int64_t mib) {
  SQLHSTMT stmt = SQL_NULL_HSTMT;
  SQLAllocHandle(SQL_HANDLE_STMT, connection.handle(), &stmt);
  std::string bytes(static_cast<std::size_t>(mib) * kPieceBytes, 'x');
  auto length = static_cast<SQLLEN>(bytes.size());
  std::string sql = "INSERT INTO big (id, bytes) VALUES (1, ?)";
  SQLBindParameter(stmt, 1, SQL_PARAM_INPUT, SQL_C_BINARY, SQL_LONGVARBINARY, bytes.size(), 0,
                   bytes.data(), length, &length);
  if (!SQL_SUCCEEDED(SQLExecDirect(stmt, reinterpret_cast<SQLCHAR*>(sql.data()), SQL_NTS)))
    fail(stmt);
  SQLFreeHandle(SQL_HANDLE_STMT, stmt);
}

void value(plain::Connection& connection, std::int64_t mib, Progress& progress) {
  SQLHSTMT stmt = SQL_NULL_HSTMT;
  SQLAllocHandle(SQL_HANDLE_STMT, connection.handle(), &stmt);
  SQLLEN how = SQL_DATA_AT_EXEC;
  SQLPOINTER token = nullptr;
  std::string sql = "INSERT INTO big (id, body) VALUES (1, ?)";
  SQLBindParameter(stmt, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_LONGVARCHAR,
                   static_cast<SQLULEN>(mib) * kPieceBytes, 0, &how, 0, &how);
  SQLRETURN ret = SQLExecDirect(stmt, reinterpret_cast<SQLCHAR*>(sql.data()), SQL_NTS);
  if (ret == SQL_NEED_DATA) ret = SQLParamData(stmt, &token);
  std::string piece(kPieceBytes, 'x');
  for (; ret == SQL_NEED_DATA && progress.done < mib; ++progress.done) {
    if (!SQL_SUCCEEDED(SQLPutData(stmt, piece.data(), static_cast<SQLLEN>(piece.size())))) break;
  }
  ret = SQLParamData(stmt, &token);
  if (!SQL_SUCCEEDED(ret)) fail(stmt);
  SQLFreeHandle(SQL_HANDLE_STMT, stmt);
}

void run(const std::string& target, const std::string& what, std::int64_t count,
         Progress& progress) {
  if (what == "connections") return connections(target, count, progress);
  plain::Connection connection(target);
  if (what == "statements") return statements(connection, count, progress);
  if (what == "rows") return rows(connection, count);
  if (what == "executions") return executions(connection, count, progress);
  if (what == "arrays") return arrays(connection, count, progress);
  if (what == "bound") return bound(connection, count);
  return value(connection, count, progress);
}

void print_peak() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.rfind("VmHWM:", 0) == 0)
      std::printf("peak_kib %llu\n", std::strtoull(line.c_str() + 6, nullptr, 10));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr,
                 "usage: limits_app CONNECTION-STRING"
                 " connections|statements|rows|executions|arrays|value|bound N\n");
    return 2;
  }
  Progress progress;
  int code = 0;
  try {
    run(argv[1], argv[2], std::strtoll(argv[3], nullptr, 10), progress);
  } catch (const std::exception& error) {
    std::printf("error after %lld: %s\n", static_cast<long long>(progress.done), error.what());
    code = 1;
  }
  print_peak();
  return code;
}
