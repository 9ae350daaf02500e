// The values of one column on their way from production to the shadow, and their comparison.
//
// Copy, replay and verify convert by this one class, so that they agree. The tables of what becomes
// what stand in docs/reference/cross-engine.md.
#pragma once

#include <string>

#include "replayer/odbc/odbc.h"
#include "replayer/values/postgresql_value.h"

namespace understudy {

/// Whether a migration can go from one engine to the other. (Copy and comparison also know the way
/// from PostgreSQL to SQLite.)
bool converts(Dialect from, Dialect to);

/// Refers to nothing; may be used by several threads.
class Conversion {
 public:
  Conversion(Dialect from, const Column& production, Dialect to, const Column& shadow);

  /// From production's exact text form to that of the shadow's column. Throws Unconvertible, which
  /// names the column and the reason. NULL stays NULL.
  void convert(odbc::OptionalText* value) const;
  /// Nothing to convert: both sides are one engine.
  [[nodiscard]] bool same() const { return way_ == Way::same; }

  /// Converted values of production and values of the shadow as texts that are equal when they are.
  void make_comparable(bool of_shadow, odbc::OptionalText* value) const;

  /// Why no value but NULL can be converted; empty: some can.
  [[nodiscard]] std::string obstacle() const;

 private:
  enum class Way : std::uint8_t { same, mariadb_to_postgresql, sqlite_to_postgresql, to_sqlite };
  enum class Compare : std::uint8_t {
    text,
    decimal,
    real,
    double_precision,
    json,
    moment,   // a date or time of one engine under two types
    literal,  // SQLite's, whose class follows the column's type
  };
  [[nodiscard]] Compare comparison(Dialect from) const;
  [[nodiscard]] Compare comparison_of_types(Dialect engine) const;

  Way way_ = Way::same;
  Compare compare_ = Compare::text;
  PostgresqlType type_ = PostgresqlType::other;
  Column production_;
  Column shadow_;
};

}  // namespace understudy
