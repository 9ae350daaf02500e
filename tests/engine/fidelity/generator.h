// One random statement on one table, in the SQL of the schema's engine: what all engines share.
#pragma once

#include <utility>

#include "tests/engine/fidelity/schema.h"

namespace fidelity {

/// A text's body, without its quotes and with the quotes inside it doubled.
std::string word(Random& random);

/// A literal, or an expression whose value only the server knows.
std::string value(Engine engine, const Column& column, Random& random);

/// A literal for the first column of a key.
std::string key_value(const Table& table, Random& random);

class Generator {
 public:
  Generator(const Schema& schema, Random& random)
      : Generator(schema, random, any_table(schema, random)) {}
  Generator(const Schema& schema, Random& random, const Table& table)
      : engine_(schema.engine),
        schema_(schema),
        random_(random),
        table_(table),
        name_(table.name) {}

  static const Table& any_table(const Schema& schema, Random& random);

  /// Any statement of those below.
  Sql make();

  Sql insert() { return {"INSERT INTO " + name_ + columns() + " VALUES " + row(), {}}; }

  [[nodiscard]] const Table& table() const { return table_; }
  /// What it writes instead of the table itself, such as one of its partitions.
  void write_to(std::string name) { name_ = std::move(name); }
  [[nodiscard]] const std::string& name() const { return name_; }

  [[nodiscard]] bool pg() const { return engine_ == Engine::postgresql; }
  [[nodiscard]] bool generates() const { return table_.key == Key::generated; }

  /// "(a, b, c)" of an INSERT: always the same columns, the generated key left out.
  std::string columns();
  [[nodiscard]] bool given(const Column& column) const;
  /// `key`: what stands for the first column of the key, or for the unique one; empty: a value.
  std::string row(const std::string& key = {});
  std::string assignment();
  /// Without what engines read differently, or drivers do not tell.
  std::string given_value(const Column& column);
  /// Picks one row by its key.
  std::string by_key();
  /// The integer column that every table has first.
  [[nodiscard]] const std::string& number() const { return table_.columns[0].name; }
  std::string range();

  Sql insert_many();
  Sql insert_select();
  Sql update_key();
  Sql move_one();
  Sql update_by_key();
  Sql update_range();
  Sql update_subquery();
  Sql delete_by_key();
  Sql delete_range();
  Sql upsert();
  Sql joined();
  /// A statement without markers that may stand in a WITH. An UPDATE of a table without a key is
  /// opaque there.
  std::string part();
  /// Rows that go and come in one table that others refer to are opaque.
  [[nodiscard]] bool is_related() const;
  Sql writing_with();
  Sql through_view();
  Sql merge();
  Sql read();

 protected:
  const Engine engine_;
  const Schema& schema_;
  Random& random_;
  const Table& table_;
  std::string name_;  // under which it is written
};

/// Of so many statements of a hundred only one engine has the form.
inline constexpr int kOwnPercent = 30;
std::vector<Sql> mariadb_statements(const Schema& schema, Random& random);
std::vector<Sql> sqlite_statements(const Schema& schema, Random& random);

}  // namespace fidelity
