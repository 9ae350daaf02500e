// A database behind Understudy in mode `record`, and what the ring then holds. Tests only.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "journal/mode.h"
#include "journal/record.h"
#include "journal/ring.h"
#include "journal/segment_map.h"
#include "tests/engine/databases.h"
#include "tests/engine/raw_odbc.h"

namespace understudy {

struct SeenParameter {
  int c_type = 0;
  int sql_type = 0;
  std::int64_t indicator = 0;
  std::string bytes;
};

struct SeenRow {
  Verb verb = Verb::other;
  Row values;
};

struct SeenStatement {
  Verdict verdict = Verdict::opaque;
  Verb verb = Verb::other;
  std::string text;
  std::int64_t rows = 0;
  std::vector<SeenParameter> parameters;
  std::vector<KeyPart> key;
  std::vector<SeenRow> effects;
};

struct SeenTransaction {
  TransactionHead head;
  std::optional<Outcome> outcome;
  std::vector<SeenStatement> statements;
  std::vector<std::string> notes;
  std::vector<std::vector<std::string>> contexts;
};

struct Seen {
  std::vector<SeenTransaction> transactions;
  std::size_t chunks = 0;
  std::vector<std::uint64_t> abandoned;

  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const auto& one : transactions) {
      for (const auto& statement : one.statements) out.push_back(statement.text);
    }
    return out;
  }
};

using Texts = std::unordered_map<TextId, std::string, TextIdHash>;

template <class T>
T must(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().message());
  return std::move(*result);
}

inline SeenStatement seen_statement(const StatementEntry& entry, const Texts& texts) {
  SeenStatement out;
  out.verdict = entry.verdict;
  out.verb = entry.verb;
  out.text = texts.at(entry.text);
  out.rows = entry.row_count;
  for (const auto& one : entry.parameters) {
    out.parameters.push_back({one.c_type, one.sql_type, one.indicator, std::string(one.bytes)});
  }
  out.key = entry.key;
  for (const auto& row : entry.rows) {
    auto& seen = out.effects.emplace_back();
    seen.verb = row.verb;
    for (const auto& value : row.values) {
      seen.values.push_back(value ? std::optional(std::string(*value)) : std::nullopt);
    }
  }
  return out;
}

inline void read_entries(const std::vector<std::byte>& bytes, const Texts& texts,
                         SeenTransaction& out) {
  const auto read = must(read_transaction(bytes));
  EXPECT_EQ(read.written, out.head.entries);
  for (const auto& entry : read.entries) {
    if (entry.type == Entry::Type::statement) {
      out.statements.push_back(seen_statement(entry.statement, texts));
    } else if (entry.type == Entry::Type::note) {
      out.notes.emplace_back(entry.note.kind);
    } else if (entry.type == Entry::Type::context) {
      auto& context = out.contexts.emplace_back();
      for (const TextId& id : entry.context.statements) context.push_back(texts.at(id));
    }
  }
}

/// Reads everything that stands in the ring.
inline Seen drained(SegmentMap& map) {
  Seen seen;
  Ring ring(map);
  Texts texts;
  std::map<std::uint64_t, std::vector<std::byte>> begun;
  for (;;) {
    const auto item = ring.peek();
    if (!item.ok()) {
      if (item.status().code() != Code::end) throw std::runtime_error(item.status().message());
      return seen;
    }
    const auto payload = must(split_ring_payload(item->payload));
    for (const auto& [id, text] : payload.texts) texts[id] = text;
    auto& bytes = begun[item->txn_id];
    if (item->kind == RingKind::chunk) {
      ++seen.chunks;
      bytes.insert(bytes.end(), payload.body.begin(), payload.body.end());
    } else if (item->kind == RingKind::transaction) {
      auto& transaction = seen.transactions.emplace_back();
      transaction.head = must(decode_head(payload.body));
      const auto rest = payload.body.subspan(sizeof(TransactionHead));
      bytes.insert(bytes.end(), rest.begin(), rest.end());
      read_entries(bytes, texts, transaction);
    } else if (item->kind == RingKind::outcome) {
      const auto outcome = must(plain_body<OutcomeRecord>(payload.body));
      for (auto& one : seen.transactions) {
        if (one.head.txn_id == outcome.txn_id) one.outcome = outcome.outcome;
      }
    } else if (item->kind == RingKind::abandon) {
      seen.abandoned.push_back(item->txn_id);
    }
    ring.consume(*item);
  }
}

inline OdbcEnvironment::Keys keys_of(const std::string& target, Dialect dialect) {
  OdbcEnvironment::Keys keys;
  std::istringstream parts(target);
  for (std::string part; std::getline(parts, part, ';');) {
    const auto equals = part.find('=');
    if (equals == std::string::npos) continue;
    // psqlodbc knows the short names in connection strings only.
    std::string key = part.substr(0, equals);
    if (dialect == Dialect::postgresql && key == "Server") key = "Servername";
    if (dialect == Dialect::postgresql && key == "Uid") key = "Username";
    keys[key] = part.substr(equals + 1);
  }
  return keys;
}

/// A process keeps the descriptors of all segments it has met, and with them their memory.
inline constexpr std::uint64_t kTestRingBytes = 8u << 20;

/// A database behind Understudy under the name of a migration, in mode `record` after `record()`.
class Production {
 public:
  explicit Production(Dialect dialect, const OdbcEnvironment::Keys& extra = {})
      : dialect_(dialect) {
    auto& environment = OdbcEnvironment::shared();
    static int count = 0;
    name_ = "capture" + std::to_string(++count);
    const auto [real, database] = place(dialect);
    bare_ = "Driver={" + real + "};" + database;
    auto keys = keys_of(database, dialect);
    keys["Driver"] = "Understudy Unicode";
    keys["RealDriver"] = real;
    for (const auto& [key, value] : extra) keys[key] = value;
    environment.add_data_source(name_, keys);
    map_ = must(SegmentMap::open_or_create(environment.home(), name_, kTestRingBytes));
  }
  ~Production() { (void)SegmentMap::remove(OdbcEnvironment::shared().home(), name_); }
  Production(const Production&) = delete;
  Production& operator=(const Production&) = delete;

  [[nodiscard]] const std::string& bare() const { return bare_; }
  [[nodiscard]] std::string through() const { return "DSN=" + name_ + ";"; }
  [[nodiscard]] SegmentMap& map() { return *map_; }
  [[nodiscard]] Seen drain() { return drained(*map_); }

  void define(const std::vector<std::string_view>& statements) {
    odbc::Connection db(bare_);
    run_all(db, statements);
  }
  std::string scalar(const std::string& sql) {
    odbc::Connection db(bare_);
    return db.scalar(sql).value_or("NULL");
  }
  void record() {
    const std::string folder = OdbcEnvironment::shared().home() + "/" + name_;
    ::mkdir(folder.c_str(), 0750);
    odbc::Connection db(bare_);
    const Status saved =
        dialect_for(db, generic_forced()).read_catalog(db).save(folder + "/catalog");
    if (!saved.ok()) throw std::runtime_error(saved.message());
    const Status reserved = map_->reserve_ring();
    if (!reserved.ok()) throw std::runtime_error(reserved.message());
    map_->header().catalog_generation.fetch_add(1);
    auto& word = map_->header().mode_word;
    word = mode_word(Mode::record, epoch_of(word) + 1);
  }
  [[nodiscard]] Mode mode() { return mode_of(map_->header().mode_word); }

 private:
  /// The real driver, and the part of a connection string that names a new database.
  std::pair<std::string, std::string> place(Dialect dialect) {
    if (dialect == Dialect::sqlite) {
      return {"SQLite3", "Database=" + folder_.path() + "/production.db;"};
    }
    if (dialect == Dialect::mariadb) {
      return {"MariaDB Unicode", MariaDbServer::shared().new_database()};
    }
    return {"PostgreSQL Unicode", PostgresServer::shared().new_database()};
  }

  Dialect dialect_;
  TempDir folder_;
  std::string name_;
  std::string bare_;
  std::shared_ptr<SegmentMap> map_;
};

/// An application's connection; the test fails when it cannot be made.
class Application : public raw::Connection {
 public:
  explicit Application(const std::string& target) {
    if (!SQL_SUCCEEDED(connect(target))) throw std::runtime_error(problems());
  }
  SQLRETURN autocommit(bool on) {
    const SQLULEN value = on ? SQL_AUTOCOMMIT_ON : SQL_AUTOCOMMIT_OFF;
    return SQLSetConnectAttr(dbc, SQL_ATTR_AUTOCOMMIT, reinterpret_cast<SQLPOINTER>(value), 0);
  }
  SQLRETURN commit() { return SQLEndTran(SQL_HANDLE_DBC, dbc, SQL_COMMIT); }
  SQLRETURN rollback() { return SQLEndTran(SQL_HANDLE_DBC, dbc, SQL_ROLLBACK); }
};

/// Runs a text on a handle of its own.
inline SQLRETURN run(Application& app, const std::string& sql) {
  raw::Statement stmt(app);
  return stmt.run(sql);
}

#define RUN(app, sql) ASSERT_TRUE(SQL_SUCCEEDED(run(app, sql))) << (sql)

}  // namespace understudy
