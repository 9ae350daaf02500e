// Handles and the life of processes and threads, with real engines and recording on: pools, forks,
// threads, signals, and ends of all kinds.
#include <gtest/gtest.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>
#include <thread>
#include <utility>

#include "tests/engine/recording.h"

namespace understudy {
namespace {

constexpr int kChildFailed = 17;

/// Runs `work` in a forked child; 0 when it returned true.
int in_child(const std::function<bool()>& work, bool through_exit = false) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int code = work() ? 0 : kChildFailed;
    if (through_exit) std::exit(code);
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class HandlesTest : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    production_.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)",
                        "INSERT INTO items VALUES (1, 1)"});
    production_.record();
  }
  [[nodiscard]] static bool sqlite() { return GetParam() == Dialect::sqlite; }
  [[nodiscard]] std::string rows() { return production_.scalar("SELECT count(*) FROM items"); }
  [[nodiscard]] std::uint32_t writing() {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < kSlotCount; ++i) {
      if (production_.map().slot(i).writing.load() != static_cast<std::uint32_t>(Writing::none)) {
        ++count;
      }
    }
    return count;
  }
  [[nodiscard]] std::uint32_t sessions() {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < kSlotCount; ++i) {
      if (production_.map().slot(i).session_id.load() != 0) ++count;
    }
    return count;
  }

  Production production_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Engines, HandlesTest,
                         testing::Values(Dialect::postgresql, Dialect::sqlite, Dialect::mariadb),
                         [](const auto& one) {
                           return one.param == Dialect::sqlite    ? "Sqlite"
                                  : one.param == Dialect::mariadb ? "Mariadb"
                                                                  : "Postgres";
                         });

std::string insert(int id) {
  return "INSERT INTO items VALUES (" + std::to_string(id) + ", 0)";
}

// ---- disconnecting ----

TEST_P(HandlesTest, ADisconnectEndsStatementsThatAreStillAlive) {
  raw::Connection app;
  ASSERT_TRUE(SQL_SUCCEEDED(app.connect(production_.through()))) << app.problems();
  std::vector<SQLHSTMT> statements(5);
  for (SQLHSTMT& stmt : statements) {
    ASSERT_EQ(SQLAllocHandle(SQL_HANDLE_STMT, app.dbc, &stmt), SQL_SUCCESS);
    ASSERT_EQ(SQLExecDirect(stmt, raw::text(std::string("SELECT * FROM items")), SQL_NTS),
              SQL_SUCCESS);
  }
  SQLHDESC desc = SQL_NULL_HDESC;  // libsqliteodbc has no explicit ones
  ASSERT_EQ(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DESC, app.dbc, &desc)), !sqlite());
  if (sqlite()) {
    EXPECT_EQ(SQLDisconnect(app.dbc), SQL_ERROR);  // "unfinished statements", as without us
    for (SQLHSTMT stmt : statements) SQLFreeHandle(SQL_HANDLE_STMT, stmt);
  }
  EXPECT_TRUE(SQL_SUCCEEDED(SQLDisconnect(app.dbc))) << app.problems();
  app.connected = false;
  ASSERT_TRUE(SQL_SUCCEEDED(app.connect(production_.through()))) << app.problems();
  raw::Statement again(app);
  EXPECT_TRUE(SQL_SUCCEEDED(again.run(insert(2))));
  EXPECT_EQ(production_.drain().texts(), std::vector<std::string>{insert(2)});
}

TEST_P(HandlesTest, ADisconnectWithAnOpenTransactionLeavesNoRecordAndNoMark) {
  {
    Application app(production_.through());
    app.autocommit(false);
    RUN(app, insert(2));
    EXPECT_EQ(writing(), 1u);
    const SQLRETURN ret = SQLDisconnect(app.dbc);
    app.connected = !SQL_SUCCEEDED(ret);
  }
  EXPECT_EQ(writing(), 0u);
  EXPECT_EQ(rows(), "1");
  EXPECT_TRUE(production_.drain().transactions.empty());
}

// ---- several connections, several drivers ----

/// Beside another in its environment.
struct SecondConnection {
  SecondConnection(Application& app, Production& production) {
    EXPECT_EQ(SQLAllocHandle(SQL_HANDLE_DBC, app.env, &dbc), SQL_SUCCESS);
    EXPECT_TRUE(SQL_SUCCEEDED(SQLDriverConnect(dbc, nullptr, raw::text(production.through()),
                                               SQL_NTS, nullptr, 0, nullptr, SQL_DRIVER_NOPROMPT)));
  }
  ~SecondConnection() {
    SQLDisconnect(dbc);
    SQLFreeHandle(SQL_HANDLE_DBC, dbc);
  }
  SecondConnection(const SecondConnection&) = delete;
  SecondConnection& operator=(const SecondConnection&) = delete;

  SQLHDBC dbc = SQL_NULL_HDBC;
};

TEST(Handles, AnEndOnTheEnvironmentEndsAllItsConnections) {
  Production production(Dialect::postgresql);
  production.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
  production.record();
  Application app(production.through());
  SecondConnection second(app, production);
  for (SQLHDBC dbc : {app.dbc, second.dbc}) {
    SQLSetConnectAttr(dbc, SQL_ATTR_AUTOCOMMIT, nullptr, 0);
    SQLHSTMT stmt = SQL_NULL_HSTMT;
    SQLAllocHandle(SQL_HANDLE_STMT, dbc, &stmt);
    const std::string sql = insert(dbc == second.dbc ? 3 : 2);
    EXPECT_TRUE(SQL_SUCCEEDED(SQLExecDirect(stmt, raw::text(sql), SQL_NTS)));
    SQLFreeHandle(SQL_HANDLE_STMT, stmt);
  }
  EXPECT_EQ(SQLEndTran(SQL_HANDLE_ENV, app.env, SQL_COMMIT), SQL_SUCCESS);
  EXPECT_EQ(production.scalar("SELECT count(*) FROM items"), "2");
  const Seen seen = production.drain();
  ASSERT_EQ(seen.transactions.size(), 2u);
  for (const auto& one : seen.transactions) EXPECT_EQ(one.outcome, Outcome::committed);
}

/// The second of two real drivers, beside psqlodbc.
class TwoDrivers : public testing::TestWithParam<Dialect> {};

INSTANTIATE_TEST_SUITE_P(Handles, TwoDrivers, testing::Values(Dialect::sqlite, Dialect::mariadb));

TEST_P(TwoDrivers, LiveInOneEnvironment) {
  Production left(Dialect::postgresql);
  Production right(GetParam());
  for (Production* one : {&left, &right}) {
    one->define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
    one->record();
  }
  Application app(left.through());
  SecondConnection second(app, right);
  RUN(app, insert(1));
  SQLHSTMT stmt = SQL_NULL_HSTMT;
  ASSERT_EQ(SQLAllocHandle(SQL_HANDLE_STMT, second.dbc, &stmt), SQL_SUCCESS);
  EXPECT_TRUE(SQL_SUCCEEDED(SQLExecDirect(stmt, raw::text(insert(2)), SQL_NTS)));
  SQLFreeHandle(SQL_HANDLE_STMT, stmt);
  EXPECT_EQ(left.drain().texts(), std::vector<std::string>{insert(1)});
  EXPECT_EQ(right.drain().texts(), std::vector<std::string>{insert(2)});
}

TEST_P(TwoDrivers, AnEndOnTheEnvironmentEndsTheTransactionsOfBoth) {
  for (const SQLSMALLINT completion : {SQL_COMMIT, SQL_ROLLBACK}) {
    Production left(Dialect::postgresql);
    Production right(GetParam());
    for (Production* one : {&left, &right}) {
      one->define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
      one->record();
    }
    Application app(left.through());
    SecondConnection second(app, right);
    for (SQLHDBC dbc : {app.dbc, second.dbc}) {
      SQLSetConnectAttr(dbc, SQL_ATTR_AUTOCOMMIT, nullptr, 0);
      SQLHSTMT stmt = SQL_NULL_HSTMT;
      ASSERT_EQ(SQLAllocHandle(SQL_HANDLE_STMT, dbc, &stmt), SQL_SUCCESS);
      EXPECT_TRUE(SQL_SUCCEEDED(SQLExecDirect(stmt, raw::text(insert(1)), SQL_NTS)));
      SQLFreeHandle(SQL_HANDLE_STMT, stmt);
    }
    EXPECT_EQ(SQLEndTran(SQL_HANDLE_ENV, app.env, completion), SQL_SUCCESS);
    const bool commits = completion == SQL_COMMIT;
    for (Production* one : {&left, &right}) {
      EXPECT_EQ(one->scalar("SELECT count(*) FROM items"), commits ? "1" : "0");
      const Seen seen = one->drain();
      ASSERT_EQ(seen.transactions.size(), commits ? 1u : 0u);
      for (const auto& sealed : seen.transactions) EXPECT_EQ(sealed.outcome, Outcome::committed);
    }
  }
}

// ---- threads ----

TEST_P(HandlesTest, ThreadsShareAConnection) {
  constexpr int kThreads = 4;
  constexpr int kEach = 20;
  Application app(production_.through());
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        if (!SQL_SUCCEEDED(run(app, insert(100 + t * kEach + i)))) ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed.load(), 0);
  EXPECT_EQ(rows(), std::to_string(1 + kThreads * kEach));
  EXPECT_EQ(production_.drain().texts().size(), static_cast<std::size_t>(kThreads * kEach));
  EXPECT_EQ(writing(), 0u);
}

TEST_P(HandlesTest, ThreadsConnectWriteAndDisconnectAtOnce) {
  constexpr int kThreads = 4;
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 4; ++i) {
        raw::Connection app;
        if (!SQL_SUCCEEDED(app.connect(production_.through() + "Timeout=30000;"))) {
          ++failed;
          continue;
        }
        raw::Statement stmt(app);
        if (!SQL_SUCCEEDED(stmt.run(insert(10 + t * 4 + i)))) ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed.load(), 0);
  EXPECT_EQ(production_.drain().texts().size(), static_cast<std::size_t>(kThreads * 4));
}

TEST(Handles, CancelFromAnotherThreadEndsARecordedStatement) {
  Production production(Dialect::postgresql);
  production.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)",
                     "INSERT INTO items VALUES (1, 1)"});
  production.record();
  Application app(production.through());
  Application blocker(production.through());
  blocker.autocommit(false);
  RUN(blocker, "UPDATE items SET v = 2 WHERE id = 1");
  raw::Statement stmt(app);
  std::thread canceller([&] {
    // Until the statement waits for the blocker's lock there is nothing to cancel.
    while (production.scalar("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                             " AND datname = current_database()") == "0") {
    }
    EXPECT_EQ(SQLCancel(stmt.handle), SQL_SUCCESS);
  });
  EXPECT_EQ(stmt.run("UPDATE items SET v = 3 WHERE id = 1"), SQL_ERROR);
  canceller.join();
  ASSERT_TRUE(SQL_SUCCEEDED(blocker.commit()));
  EXPECT_EQ(production.scalar("SELECT v FROM items"), "2");
  EXPECT_EQ(production.drain().texts(),
            std::vector<std::string>{"UPDATE items SET v = 2 WHERE id = 1"});
}

// ---- forks ----

TEST_P(HandlesTest, AForkedChildRecordsThroughAConnectionOfItsOwn) {
  Application app(production_.through());
  RUN(app, insert(2));
  EXPECT_EQ(in_child([&] {
              Application own(production_.through());
              return SQL_SUCCEEDED(run(own, insert(3)));
            }),
            0);
  RUN(app, insert(4));
  EXPECT_EQ(rows(), "4");
  EXPECT_EQ(production_.drain().texts(),
            (std::vector<std::string>{insert(2), insert(3), insert(4)}));
}

TEST_P(HandlesTest, AChildThatDoesNotUseTheParentsConnectionDoesNotDisturbIt) {
  Application app(production_.through());
  app.autocommit(false);
  RUN(app, insert(2));
  const std::uint32_t before = sessions();
  EXPECT_EQ(in_child([] { return true; }), 0);
  EXPECT_EQ(sessions(), before);
  EXPECT_EQ(writing(), 1u);
  RUN(app, insert(3));
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  const Seen seen = production_.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.transactions[0].statements.size(), 2u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::committed);
}

TEST_P(HandlesTest, AChildThatExecutesAnotherProgramLeavesTheParentRecording) {
  Application app(production_.through());
  app.autocommit(false);
  RUN(app, insert(2));
  EXPECT_EQ(in_child([] {
              ::execl("/bin/true", "true", nullptr);
              return false;
            }),
            0);
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  EXPECT_EQ(production_.drain().texts(), std::vector<std::string>{insert(2)});
}

TEST_P(HandlesTest, AProcessThatLoadedTheDriverBeforeItsForksRecordsInEachChild) {
  { const Application loaded(production_.through()); }
  for (const int id : {2, 3, 4}) {
    EXPECT_EQ(in_child([&] {
                Application own(production_.through());
                return SQL_SUCCEEDED(run(own, insert(id)));
              }),
              0);
  }
  EXPECT_EQ(production_.drain().texts().size(), 3u);
}

TEST_P(HandlesTest, AForkedChildRecordsThroughTheParentsConnection) {
  Application app(production_.through());
  RUN(app, insert(2));
  EXPECT_EQ(in_child([&] { return SQL_SUCCEEDED(run(app, insert(3))); }), 0);
  RUN(app, insert(4));
  EXPECT_EQ(rows(), "4");
  const Seen seen = production_.drain();
  EXPECT_EQ(seen.texts(), (std::vector<std::string>{insert(2), insert(3), insert(4)}));
  ASSERT_EQ(seen.transactions.size(), 3u);
  EXPECT_NE(seen.transactions[0].head.session_id, seen.transactions[1].head.session_id);
  EXPECT_EQ(seen.transactions[0].head.session_id, seen.transactions[2].head.session_id);
  EXPECT_EQ(writing(), 0u);
}

// SQLite forbids it: its locks belong to the parent.
TEST(Handles, ATransactionThatAForkedChildEndsIsRecordedOnce) {
  Production production(Dialect::postgresql);
  production.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
  production.record();
  for (const bool commits : {true, false}) {
    const int first = commits ? 2 : 12;
    Application app(production.through());
    app.autocommit(false);
    RUN(app, insert(first));
    EXPECT_EQ(in_child([&] {
                return SQL_SUCCEEDED(run(app, insert(first + 1))) &&
                       SQL_SUCCEEDED(commits ? app.commit() : app.rollback());
              }),
              0);
    ASSERT_TRUE(SQL_SUCCEEDED(app.rollback()));  // psqlodbc believes that it is open
    RUN(app, insert(first + 2));
    ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
    std::vector<std::string> expected{insert(first + 2)};
    if (commits) expected.insert(expected.begin(), {insert(first), insert(first + 1)});
    const Seen seen = production.drain();
    EXPECT_EQ(seen.texts(), expected);
    for (const auto& one : seen.transactions) EXPECT_EQ(one.outcome, Outcome::committed);
  }
  EXPECT_EQ(production.scalar("SELECT count(*) FROM items"), "4");
}

/// Two ends of a pipe: reading comes to its end when everybody who could write is gone.
struct Pipe {
  Pipe() {
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_end(int which) {
    if (ends[which] >= 0) ::close(std::exchange(ends[which], -1));
  }
  void wait_for_end() {
    close_end(1);
    char none = 0;
    while (::read(ends[0], &none, 1) == 1) {
    }
  }
  int ends[2];
};

// As a program does that goes into the background after it has connected.
TEST(Handles, ATransactionGoesOnInTheChildOfAProcessThatEnds) {
  Production production(Dialect::postgresql);
  production.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
  production.record();
  Pipe parent_lives;
  Pipe child_lives;
  EXPECT_EQ(in_child([&] {
              auto* app = new Application(production.through());
              app->autocommit(false);
              if (!SQL_SUCCEEDED(run(*app, insert(2)))) return false;
              if (::fork() != 0) return true;
              child_lives.close_end(0);
              parent_lives.wait_for_end();
              const bool committed =
                  SQL_SUCCEEDED(run(*app, insert(3))) && SQL_SUCCEEDED(app->commit());
              ::_exit(committed ? 0 : kChildFailed);
            }),
            0);
  parent_lives.close_end(1);
  child_lives.wait_for_end();
  EXPECT_EQ(production.scalar("SELECT count(*) FROM items"), "2");
  const Seen seen = production.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.texts(), (std::vector<std::string>{insert(2), insert(3)}));
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::committed);
  EXPECT_TRUE(seen.transactions[0].notes.empty());
}

std::string large_insert(int id) {
  return insert(id) + " -- " + std::string(32 << 10, 'x');
}

/// The first `count` rows of a transaction, of which a part has left in chunks then.
void begin_large(Application& app, int count) {
  app.autocommit(false);
  RUN(app, "SAVEPOINT first");
  for (int i = 0; i < count; ++i) RUN(app, large_insert(100 + i));
}

TEST(Handles, AChildThatCommitsWhatItsParentHasHandedOverInPartIsCountedAndNamed) {
  Production production(Dialect::postgresql);
  production.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
  production.record();
  Application app(production.through());
  begin_large(app, 20);
  EXPECT_EQ(
      in_child([&] { return SQL_SUCCEEDED(run(app, insert(2))) && SQL_SUCCEEDED(app.commit()); }),
      0);
  ASSERT_TRUE(SQL_SUCCEEDED(app.rollback()));  // psqlodbc believes that it is open
  RUN(app, insert(3));
  ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
  EXPECT_EQ(production.scalar("SELECT count(*) FROM items"), "22");
  EXPECT_EQ(production.map().header().uncaptured.load(), 1u);
  EXPECT_EQ(production.mode(), Mode::record);
  const Seen seen = production.drain();
  EXPECT_GT(seen.chunks, 0u);
  ASSERT_EQ(seen.transactions.size(), 2u);
  EXPECT_EQ(seen.transactions[0].notes, std::vector<std::string>{"transaction-of-parent"});
  EXPECT_EQ(seen.transactions[0].head.chunks, 0u);
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::committed);
  EXPECT_EQ(seen.transactions[0].statements.back().text, insert(2));
  EXPECT_EQ(seen.transactions[1].statements.back().text, insert(3));
  EXPECT_EQ(seen.abandoned.size(), 1u);
}

TEST(Handles, AChildThatRollsBackWhatItsParentHasHandedOverInPartLeavesNothing) {
  Production production(Dialect::postgresql);
  production.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
  production.record();
  Application app(production.through());
  begin_large(app, 20);
  EXPECT_EQ(
      in_child([&] { return SQL_SUCCEEDED(run(app, insert(2))) && SQL_SUCCEEDED(app.rollback()); }),
      0);
  ASSERT_TRUE(SQL_SUCCEEDED(app.rollback()));
  EXPECT_EQ(production.scalar("SELECT count(*) FROM items"), "0");
  const Seen seen = production.drain();
  EXPECT_TRUE(seen.transactions.empty());
  EXPECT_EQ(seen.abandoned.size(), 1u);
}

TEST(Handles, AChildMayGoBackToASavepointBeforeWhatItsParentHasHandedOver) {
  Production production(Dialect::postgresql);
  production.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
  production.record();
  Application app(production.through());
  begin_large(app, 20);
  EXPECT_EQ(in_child([&] {
              return SQL_SUCCEEDED(run(app, insert(2))) &&
                     SQL_SUCCEEDED(run(app, "ROLLBACK TO SAVEPOINT first")) &&
                     SQL_SUCCEEDED(run(app, insert(3))) && SQL_SUCCEEDED(app.commit());
            }),
            0);
  ASSERT_TRUE(SQL_SUCCEEDED(app.rollback()));
  EXPECT_EQ(production.scalar("SELECT count(*) FROM items"), "1");
  const Seen seen = production.drain();
  ASSERT_EQ(seen.transactions.size(), 1u);
  EXPECT_EQ(seen.texts(), std::vector<std::string>{insert(3)});
  EXPECT_EQ(seen.transactions[0].outcome, Outcome::committed);
}

// ---- ends of processes ----

TEST_P(HandlesTest, AProcessMayExitWithItsConnectionAndTransactionOpen) {
  EXPECT_EQ(in_child(
                [&] {
                  auto* app = new Application(production_.through());
                  app->autocommit(false);
                  return SQL_SUCCEEDED(run(*app, insert(2)));
                },
                false),
            0);
  Application app(production_.through());
  RUN(app, insert(3));
  EXPECT_EQ(production_.drain().texts(), std::vector<std::string>{insert(3)});
}

// ---- signals ----

std::atomic<int> ticks{0};

/// Interrupts this process's system calls a thousand times a second.
class SignalStorm {
 public:
  SignalStorm() {
    struct sigaction action {};
    action.sa_handler = [](int) { ticks.fetch_add(1, std::memory_order_relaxed); };
    ::sigaction(SIGALRM, &action, &before_);  // without SA_RESTART
    set(1000);
  }
  ~SignalStorm() {
    set(0);
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;

 private:
  static void set(int microseconds) {
    const itimerval timer{{0, microseconds}, {0, microseconds}};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
  }
  struct sigaction before_ {};
};

TEST_P(HandlesTest, ASignalStormLosesNoRecord) {
  Application app(production_.through());
  app.autocommit(false);
  ticks = 0;
  int committed = 0;
  {
    const SignalStorm storm;
    for (int i = 0; i < 100; ++i) {
      RUN(app, insert(10 + i));
      ASSERT_TRUE(SQL_SUCCEEDED(app.commit()));
      ++committed;
    }
  }
  EXPECT_GT(ticks.load(), 0);
  const Seen seen = production_.drain();
  EXPECT_EQ(seen.transactions.size(), static_cast<std::size_t>(committed));
  for (const auto& one : seen.transactions) EXPECT_EQ(one.outcome, Outcome::committed);
}

// ---- the driver manager's ways: pools, threading levels, unloading ----

/// Runs the program of steps with a copy of this process's configuration and, if asked for, a pool.
class Steps {
 public:
  /// `pooled`: for all programs, by odbcinst.ini; otherwise pools are there for who asks for one.
  explicit Steps(bool pooled, bool allowed = false) {
    const std::string system = std::getenv("ODBCSYSINI");
    std::ifstream sections(system + "/odbcinst.ini");
    std::ofstream out(folder_.path() + "/odbcinst.ini");
    if (pooled) out << "[ODBC]\nPooling=Yes\n\n";
    for (std::string line; std::getline(sections, line);) {
      out << line << "\n";
      if ((pooled || allowed) && line.starts_with("[")) out << "CPTimeout=60\n";
    }
  }
  Finished run(const std::string& target, const std::vector<std::string>& steps) {
    // What a pool holds is never freed, and so no leak of ours.
    std::vector<std::string> arguments{"env", "ODBCSYSINI=" + folder_.path(),
                                       "ASAN_OPTIONS=detect_leaks=0", ODBC_STEPS_APP_PATH, target};
    arguments.insert(arguments.end(), steps.begin(), steps.end());
    return run_program(arguments);
  }

 private:
  TempDir folder_;
};

std::vector<std::string> committed_texts(const Seen& seen) {
  std::vector<std::string> out;
  for (const auto& one : seen.transactions) {
    if (one.outcome != Outcome::committed) continue;
    for (const auto& statement : one.statements) out.push_back(statement.text);
  }
  return out;
}

TEST_P(HandlesTest, ATransactionLeftInThePoolIsCommittedByTheNextBorrower) {
  const Finished done = Steps(true).run(
      production_.through(),
      {"connect", "manual", insert(2), "disconnect", "connect", insert(3), "commit", "disconnect"});
  ASSERT_EQ(done.exit_code, 0) << done.output;
  EXPECT_EQ(rows(), "3") << done.output;
  EXPECT_EQ(committed_texts(production_.drain()), (std::vector<std::string>{insert(2), insert(3)}))
      << done.output;
}

TEST_P(HandlesTest, ATransactionLeftInThePoolIsRolledBackByTheNextBorrower) {
  const Finished done = Steps(true).run(
      production_.through(), {"connect", "manual", insert(2), "disconnect", "connect", "rollback",
                              insert(3), "commit", "disconnect"});
  ASSERT_EQ(done.exit_code, 0) << done.output;
  EXPECT_EQ(rows(), "2") << done.output;
  EXPECT_EQ(committed_texts(production_.drain()), std::vector<std::string>{insert(3)})
      << done.output;
}

/// Return codes of all steps; diagnostics name the driver.
std::string codes(const Finished& done) {
  std::istringstream lines(done.output);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    const bool step = !line.empty() && line.find_first_of("-0123456789") == 0;
    if (step) out += line + "\n";
  }
  return out;
}

TEST_P(HandlesTest, APoolThatTheProgramAsksForIsAsWithTheBareDriver) {
  const std::string quick = sqlite() ? "Timeout=100;" : "";
  for (const char* pool : {"pool-process", "pool-environment"}) {
    for (const bool configured : {false, true}) {
      SCOPED_TRACE(std::string(pool) + (configured ? ", and odbcinst.ini" : ""));
      const std::vector<std::string> steps{pool,         "connect", "manual",  insert(2),
                                           "disconnect", "connect", insert(3), "commit",
                                           "disconnect", "connect", insert(4), "disconnect"};
      Steps program(configured, true);
      const Finished bare = program.run(production_.bare() + quick, steps);
      const std::string left = production_.scalar("SELECT max(id), count(*) FROM items");
      const std::string count = rows();
      production_.define({"DELETE FROM items WHERE id > 1"});
      const Finished through = program.run(production_.through() + quick, steps);
      EXPECT_EQ(codes(through), codes(bare)) << through.output << bare.output;
      EXPECT_EQ(production_.scalar("SELECT max(id), count(*) FROM items"), left);
      EXPECT_EQ(rows(), count);
      const auto texts = committed_texts(production_.drain());
      EXPECT_EQ(std::to_string(texts.size() + 1), count) << through.output;
      production_.define({"DELETE FROM items WHERE id > 1"});
    }
  }
}

TEST_P(HandlesTest, AnExitWithAPooledTransactionLeavesNoRecordAndNoMark) {
  const Finished done = Steps(true).run(production_.through(),
                                        {"connect", "manual", insert(2), "disconnect", "exit"});
  ASSERT_EQ(done.exit_code, 0) << done.output;
  EXPECT_EQ(rows(), "1");
  EXPECT_TRUE(production_.drain().transactions.empty());
}

TEST_P(HandlesTest, AnExitWithAnOpenTransactionEndsInOrder) {
  for (const char* end : {"exit", "exit-in-thread"}) {
    const Finished done = Steps(false).run(
        production_.through(),
        {"connect", insert(2), "DELETE FROM items WHERE id = 2", "manual", insert(3), end});
    EXPECT_EQ(done.exit_code, 0) << done.output;
    EXPECT_EQ(rows(), "1") << end;
    EXPECT_EQ(committed_texts(production_.drain()).size(), 2u) << end;
  }
}

/// A driver section of ours with one more key, and a database behind it.
std::string section_with(const std::string& key, const std::string& value) {
  static int count = 0;
  const std::string name = "Understudy " + key + std::to_string(++count);
  OdbcEnvironment::shared().add_driver(name, {{"Driver", UNDERSTUDYW_PATH}, {key, value}});
  return name;
}

class Threads : public testing::TestWithParam<Dialect> {};

INSTANTIATE_TEST_SUITE_P(Handles, Threads, testing::Values(Dialect::postgresql, Dialect::mariadb));

TEST_P(Threads, AreRecordedAtEachLevelOfTheDriverManager) {
  for (const char* level : {"0", "1", "2", "3"}) {
    Production production(GetParam(), {{"Driver", section_with("Threading", level)}});
    production.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
    production.record();
    Application app(production.through());
    std::atomic<int> failed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10; ++i) failed += SQL_SUCCEEDED(run(app, insert(t * 10 + i))) ? 0 : 1;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(failed.load(), 0) << level;
    EXPECT_EQ(production.drain().texts().size(), 30u) << level;
  }
}

/// What the threads of one seed do: each has rows of its own, so any order leaves the same.
/// `may_fail`: some rows come twice. psqlodbc frees the SQLSTATE of a failed statement without a
/// lock when threads share its connection, which the bare driver may not survive.
class RandomWriter {
 public:
  RandomWriter(unsigned seed, int thread, bool may_fail)
      : random_(seed + static_cast<unsigned>(thread)),
        first_((thread + 1) * 1000),
        may_fail_(may_fail) {}
  std::string next() {
    const int id = first_ + static_cast<int>(random_() % 8);
    switch (random_() % 4) {
      case 0:
        return "DELETE FROM items WHERE id = " + std::to_string(id);
      case 1:
        return "UPDATE items SET v = v + 1 WHERE id = " + std::to_string(id);
      case 2:
        return "SELECT v FROM items WHERE id = " + std::to_string(id);
      default:
        return insert(may_fail_ ? id : first_ + inserted_++);
    }
  }
  [[nodiscard]] bool chance(unsigned one_of) { return random_() % one_of == 0; }

 private:
  std::mt19937 random_;
  const int first_;
  const bool may_fail_;
  int inserted_ = 0;
};

constexpr int kWriters = 4;
constexpr int kSteps = 40;

/// Return codes of each thread, one line per thread. `shared`: one connection for all.
std::string random_writers(unsigned seed, const std::string& target, bool shared) {
  std::vector<std::string> codes(kWriters);
  std::vector<std::thread> threads;
  threads.reserve(kWriters);
  // One after the other: psqlodbc calls setlocale while it connects.
  std::vector<std::unique_ptr<Application>> applications;
  for (int t = 0; t < (shared ? 1 : kWriters); ++t) {
    applications.push_back(std::make_unique<Application>(target));
    if (!shared) applications.back()->autocommit(false);
  }
  for (int t = 0; t < kWriters; ++t) {
    threads.emplace_back([&, t] {
      Application& app = *applications[shared ? 0 : t];
      RandomWriter writer(seed, t, !shared);
      for (int i = 0; i < kSteps; ++i) {
        codes[t] += std::to_string(run(app, writer.next())) + " ";
        if (shared || !writer.chance(5)) continue;
        codes[t] += std::to_string(writer.chance(3) ? app.rollback() : app.commit()) + "; ";
      }
      if (!shared) codes[t] += std::to_string(app.commit());
      codes[t] += "\n";
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::string joined;
  for (const std::string& one : codes) joined += one;
  return joined;
}

class ThreadingLevel : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Handles, ThreadingLevel, testing::Values("0", "1", "2", "3"));

// The section of the bare driver names no level.
TEST_P(ThreadingLevel, AnswersThreadsAsTheBareDriverDoes) {
  const char* given = std::getenv("UNDERSTUDY_TEST_SEED");
  const unsigned seed =
      given != nullptr ? static_cast<unsigned>(std::atoi(given)) : std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  Production production(Dialect::postgresql, {{"Driver", section_with("Threading", GetParam())}});
  production.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
  production.record();
  const std::string rows = "SELECT string_agg(id || ':' || v, ' ' ORDER BY id) FROM items";
  for (const bool shared : {false, true}) {
    SCOPED_TRACE("UNDERSTUDY_TEST_SEED=" + std::to_string(seed) + (shared ? " shared" : " own"));
    production.define({"DELETE FROM items"});
    const std::string bare = random_writers(seed, production.bare(), shared);
    const std::string left = production.scalar(rows);
    production.define({"DELETE FROM items"});
    EXPECT_EQ(random_writers(seed, production.through(), shared), bare);
    EXPECT_EQ(production.scalar(rows), left);
    Seen seen = production.drain();
    for (const auto& one : seen.transactions) EXPECT_EQ(one.outcome, Outcome::committed);
    // What was recorded leaves the same rows.
    Production again(Dialect::postgresql);
    again.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
    for (const std::string& text : seen.texts()) again.define({text});
    EXPECT_EQ(again.scalar(rows), left);
  }
  EXPECT_EQ(production.mode(), Mode::record);
}

TEST(Handles, ADriverThatMayBeUnloadedIsUsedAgain) {
  Production production(Dialect::postgresql, {{"Driver", section_with("DontDLClose", "0")}});
  production.define({"CREATE TABLE items (id integer PRIMARY KEY, v integer)"});
  production.record();
  for (const int id : {1, 2, 3}) {
    Application app(production.through());
    RUN(app, insert(id));
  }
  EXPECT_EQ(production.drain().texts().size(), 3u);
}

}  // namespace
}  // namespace understudy
