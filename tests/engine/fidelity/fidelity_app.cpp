// Writers that send random statements to a random schema: plain ODBC, links libodbc, knows nothing
// of Understudy.
//
//   fidelity_app CONNECTION-STRING --engine NAME --schema SEED --seed SEED --threads N
//                [--isolation 1|2|4|8] [--plain 0|1]
//
// Writes until it is asked to end by SIGTERM. Each thread has a connection; some commit by hand,
// with savepoints and rollbacks, some use autocommit. Statements that fail are part of it. Prints
// "transactions N", "refused N", "retries N", and before them what was refused, where
// UNDERSTUDY_FIDELITY_ERRORS is set; exit code 1 when a connection failed for good.
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/engine/fidelity/sender.h"
#include "tests/support/plain_odbc.h"

namespace {

constexpr unsigned kThreadsMax = 64;

struct Options {
  bool plain = false;
  std::string target;
  fidelity::Engine engine = fidelity::Engine::postgresql;
  std::uint64_t schema = 1;
  std::uint64_t seed = 1;
  unsigned threads = 4;
  std::uintptr_t isolation = 0;  // SQL_TXN_*; 0: as the driver has it
};

struct Figures {
  std::uint64_t transactions = 0;
  std::uint64_t refused = 0;
  std::uint64_t retries = 0;
};

std::atomic<bool> ending{false};

void set_isolation(plain::Connection& connection, std::uintptr_t level) {
  if (level == 0) return;
  SQLSetConnectAttr(connection.handle(), SQL_ATTR_TXN_ISOLATION,
                    reinterpret_cast<SQLPOINTER>(level), SQL_IS_UINTEGER);
}

class Writer {
 public:
  Writer(const Options& options, const fidelity::Schema& schema, unsigned index)
      : schema_(schema),
        random_(options.seed * 7919 + index),
        manual_(index % 3 != 2),
        target_(options.target),
        isolation_(options.isolation) {
    connect();
  }

  void run() {
    while (!ending) {
      if (manual_) {
        transaction();
      } else {
        (void)statement();
      }
    }
    if (manual_) connection_->rollback();
  }
  [[nodiscard]] const Figures& figures() const { return figures_; }

 private:
  void connect() {
    connection_.reset();
    connection_ = std::make_unique<plain::Connection>(target_);
    set_isolation(*connection_, isolation_);
    connection_->set_autocommit(!manual_);
  }

  /// One statement, or several that belong together. Whether the transaction can go on.
  bool statement() {
    bool failed = false;
    bool going_on = true;
    for (const fidelity::Sql& sql : fidelity::make_statements(schema_, random_)) {
      if (failed && !sql.always) continue;
      try {
        fidelity::send(*connection_, schema_.engine, sql, random_);
      } catch (const plain::Error& error) {
        failed = true;
        if (const char* tell = std::getenv("UNDERSTUDY_FIDELITY_ERRORS"); tell != nullptr) {
          std::fprintf(stderr, "refused: %s: %s\n", error.what(), sql.text.c_str());
        }
        going_on = goes_on(error) && going_on;
      }
    }
    if (!manual_ && !failed) ++figures_.transactions;
    return going_on;
  }

  /// PostgreSQL takes nothing more in this transaction.
  static bool aborted(const plain::Error& error) {
    return error.sqlstate() == "25P02" ||
           std::string_view(error.what()).find("internal SAVEPOINT") != std::string_view::npos;
  }

  bool goes_on(const plain::Error& error) {
    ++figures_.refused;
    if (error.sqlstate().starts_with("08")) throw error;
    // psqlodbc keeps a plan that it could not remove in a failed transaction, and makes it again.
    if (error.sqlstate() == "42P05") {
      connect();
      return false;
    }
    if (!error.retryable() && !aborted(error)) return true;
    ++figures_.retries;
    if (manual_) connection_->rollback();
    return false;
  }

  void transaction() {
    bool saved = false;
    for (int left = 1 + random_.below(6); left > 0; --left) {
      if (!saved && random_.chance(10)) saved = control("SAVEPOINT s");
      if (!statement()) return;
      if (saved && random_.chance(30)) {
        if (!control("ROLLBACK TO SAVEPOINT s")) return connection_->rollback();
      }
    }
    if (random_.chance(10)) return connection_->rollback();
    try {
      connection_->commit();
      ++figures_.transactions;
    } catch (const plain::Error& error) {
      ++figures_.refused;
      if (error.sqlstate().starts_with("08")) throw;
      connection_->rollback();
    }
  }

  bool control(const char* text) {
    try {
      fidelity::send_at_once(*connection_, text);
      return true;
    } catch (const plain::Error&) {
      return false;
    }
  }

  const fidelity::Schema& schema_;
  fidelity::Random random_;
  const bool manual_;
  const std::string target_;
  const std::uintptr_t isolation_;
  std::unique_ptr<plain::Connection> connection_;
  Figures figures_;
};

Options read_options(int argc, char** argv) {
  if (argc < 2) throw std::invalid_argument("a connection string is wanted");
  Options out;
  out.target = argv[1];
  if (argc % 2 != 0) throw std::invalid_argument("an option without its value");
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--engine") {
      out.engine = fidelity::engine_of(value);
    } else if (name == "--schema") {
      out.schema = std::stoull(value);
    } else if (name == "--seed") {
      out.seed = std::stoull(value);
    } else if (name == "--threads") {
      out.threads = static_cast<unsigned>(std::stoul(value));
    } else if (name == "--isolation") {
      out.isolation = std::stoul(value);
    } else if (name == "--plain") {
      out.plain = value == "1";
    } else {
      throw std::invalid_argument("no option called " + name);
    }
  }
  if (out.threads > kThreadsMax) throw std::invalid_argument("too many threads");
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = read_options(argc, argv);
    const fidelity::Schema schema =
        fidelity::make_schema(options.engine, options.schema, options.plain);
    struct sigaction action {};
    action.sa_handler = [](int) { ending = true; };
    ::sigaction(SIGTERM, &action, nullptr);
    std::atomic<bool> failed{false};
    std::vector<Figures> all(options.threads);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < options.threads; ++i) {
      threads.emplace_back([&, i] {
        try {
          Writer writer(options, schema, i);
          writer.run();
          all[i] = writer.figures();
        } catch (const std::exception& error) {
          std::fprintf(stderr, "fidelity_app: thread %u: %s\n", i, error.what());
          failed = true;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    Figures sum;
    for (const Figures& one : all) {
      sum.transactions += one.transactions;
      sum.refused += one.refused;
      sum.retries += one.retries;
    }
    std::printf("transactions %llu\nrefused %llu\nretries %llu\n",
                static_cast<unsigned long long>(sum.transactions),
                static_cast<unsigned long long>(sum.refused),
                static_cast<unsigned long long>(sum.retries));
    return failed ? 1 : 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fidelity_app: %s\n", error.what());
    return 2;
  }
}
