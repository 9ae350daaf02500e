// A case: a short ODBC program that does the same whatever way leads to its database.
#pragma once

#include <string>
#include <vector>

namespace understudy::parity {

class Program;

enum Engines : unsigned {
  kPostgres = 1,
  kSqlite = 2,
  kMaria = 4,
  kAll = kPostgres | kSqlite | kMaria,
};

struct Case {
  const char* group;
  const char* name;  // a sentence without blanks
  unsigned engines;  // Engines
  /// Made before anything connects, since a schema change ends a recording. `$T` is the case's own
  /// name for its table; more words in Program::expand.
  std::vector<const char*> schema;
  void (*body)(Program&);
  /// The body connects by itself.
  bool own_connections = false;
};

using Cases = std::vector<Case>;

// Schemas of several groups.
inline constexpr const char* kOfManyTypes =
    "CREATE TABLE $T (id int PRIMARY KEY, note $text, bl $blob, i int, d $double, dt date, "
    "n numeric(10,2), at $stamp)";
inline constexpr const char* kNarrow = "CREATE TABLE $T (id int PRIMARY KEY, note varchar(40))";
inline constexpr const char* kNineRows =
    "INSERT INTO $T (id, note) VALUES (1, 'one'), (2, 'two'), (3, NULL), (4, 'four'), "
    "(5, 'five'), (6, 'six'), (7, 'seven'), (8, 'eight'), (9, 'nine')";

void add_attribute_cases(Cases& all);
void add_catalog_cases(Cases& all);
void add_connection_cases(Cases& all);
void add_control_cases(Cases& all);
void add_count_cases(Cases& all);
void add_cursor_cases(Cases& all);
void add_descriptor_cases(Cases& all);
void add_edge_cases(Cases& all);
void add_error_cases(Cases& all);
void add_maria_batch_cases(Cases& all);
void add_maria_cases(Cases& all);
void add_odbc2_cases(Cases& all);
void add_parameter_cases(Cases& all);
void add_path_cases(Cases& all);
void add_previous_cases(Cases& all);
void add_result_cases(Cases& all);
void add_transaction_cases(Cases& all);
void add_type_cases(Cases& all);

}  // namespace understudy::parity
