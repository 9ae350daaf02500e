// Parameters: arrays, data at execution, lengths and indicators, many executions of one binding.
#include <cstddef>
#include <cstring>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

constexpr SQLULEN kSets = 6;

struct Columns {
  SQLINTEGER id[kSets] = {1, 2, 3, 4, 5, 6};
  char note[kSets][12] = {"one", "two", "three", "four", "five", "six"};
  SQLLEN id_length[kSets] = {};
  SQLLEN note_length[kSets] = {SQL_NTS, 2, SQL_NULL_DATA, SQL_NTS, SQL_NTS, SQL_NTS};
  SQLUSMALLINT status[kSets] = {77, 77, 77, 77, 77, 77};
  SQLULEN processed = 7777;

  void bind(Program& p, SQLHSTMT h) {
    p.set_stmt_attr(h, SQL_ATTR_PARAM_BIND_TYPE, SQL_PARAM_BIND_BY_COLUMN);
    p.set_stmt_attr(h, SQL_ATTR_PARAMSET_SIZE, kSets);
    p.set_stmt_pointer(h, SQL_ATTR_PARAM_STATUS_PTR, status);
    p.set_stmt_pointer(h, SQL_ATTR_PARAMS_PROCESSED_PTR, &processed);
    p.bind_int(h, 1, id, id_length);
    p.bind_text(h, 2, note[0], sizeof(note[0]), note_length);
  }
  void show(Program& p) const {
    std::vector<SQLLEN> all = {static_cast<SQLLEN>(processed)};
    for (const SQLUSMALLINT one : status) all.push_back(one);
    p.note("processed, status", all);
  }
};

void run_array(Program& p, SQLHSTMT h, Columns& columns) {
  p.execute(h);
  columns.show(p);
  p.row_count(h);
  p.more_results(h);
  p.row_count(h);
  p.close(h);
}

void arrays_by_column(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    Columns columns;
    SQLHSTMT h = p.stmt();
    columns.bind(p, h);
    p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
    run_array(p, h, columns);
    p.prepare(h, "UPDATE $T SET id = id + 10 * ?, note = ? WHERE id = 3");
    run_array(p, h, columns);
    p.prepare(h, "DELETE FROM $T WHERE id = ? OR note = ?");
    run_array(p, h, columns);
    p.drop(h);
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.run("DELETE FROM $T");
    p.commit();
  }
}

struct Row {
  SQLINTEGER id;
  SQLLEN id_length;
  char note[12];
  SQLLEN note_length;
};

void arrays_by_row_with_offset(Program& p) {
  Row rows[kSets] = {{1, 0, "one", SQL_NTS},  {2, 0, "two", SQL_NTS},  {3, 0, "", SQL_NULL_DATA},
                     {4, 0, "four", SQL_NTS}, {5, 0, "five", SQL_NTS}, {6, 0, "six", 1}};
  SQLUSMALLINT operation[kSets] = {SQL_PARAM_PROCEED, SQL_PARAM_IGNORE,  SQL_PARAM_PROCEED,
                                   SQL_PARAM_PROCEED, SQL_PARAM_PROCEED, SQL_PARAM_PROCEED};
  SQLUSMALLINT status[kSets] = {77, 77, 77, 77, 77, 77};
  SQLULEN processed = 7777;
  SQLULEN offset = 0;
  SQLHSTMT h = p.stmt();
  p.set_stmt_attr(h, SQL_ATTR_PARAM_BIND_TYPE, sizeof(Row));
  p.set_stmt_attr(h, SQL_ATTR_PARAMSET_SIZE, 3);
  p.set_stmt_pointer(h, SQL_ATTR_PARAM_OPERATION_PTR, operation);
  p.set_stmt_pointer(h, SQL_ATTR_PARAM_STATUS_PTR, status);
  p.set_stmt_pointer(h, SQL_ATTR_PARAMS_PROCESSED_PTR, &processed);
  p.set_stmt_pointer(h, SQL_ATTR_PARAM_BIND_OFFSET_PTR, &offset);
  p.bind_int(h, 1, &rows[0].id, &rows[0].id_length);
  p.bind_text(h, 2, rows[0].note, sizeof(rows[0].note), &rows[0].note_length);
  p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
  for (offset = 0; offset <= 3 * sizeof(Row); offset += 3 * sizeof(Row)) {
    p.execute(h);
    p.note("processed, status", {static_cast<SQLLEN>(processed), status[0], status[1], status[2]});
    p.row_count(h);
    p.close(h);
  }
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

// Nobody asks for status and count; sets that are ignored, one or all.
void arrays_without_status(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLINTEGER id[3] = {1, 2, 3};
    char note[3][8] = {"a", "b", "c"};
    SQLUSMALLINT operation[3] = {SQL_PARAM_IGNORE, SQL_PARAM_PROCEED, SQL_PARAM_IGNORE};
    SQLHSTMT h = p.stmt();
    p.set_stmt_attr(h, SQL_ATTR_PARAMSET_SIZE, 3);
    p.bind_int(h, 1, id);
    p.bind_text(h, 2, note[0], sizeof(note[0]), nullptr);
    p.exec(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
    p.row_count(h);
    p.close(h);
    for (SQLINTEGER& one : id) one += 10;
    p.set_stmt_pointer(h, SQL_ATTR_PARAM_OPERATION_PTR, operation);
    p.exec(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
    p.row_count(h);
    p.close(h);
    operation[1] = SQL_PARAM_IGNORE;
    for (SQLINTEGER& one : id) one += 10;
    p.exec(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
    p.row_count(h);
    p.close(h);
    p.set_stmt_pointer(h, SQL_ATTR_PARAM_OPERATION_PTR, nullptr);
    p.set_stmt_attr(h, SQL_ATTR_PARAMSET_SIZE, 1);
    p.exec(h, "UPDATE $T SET id = id + 100 WHERE id = ? OR note = ?");
    p.row_count(h);
    p.drop(h);
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.run("DELETE FROM $T");
    p.commit();
  }
}

// One statement after the other on one handle.
void prepared_again(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    SQLINTEGER id = 1;
    char note[12] = "first";
    SQLLEN length = SQL_NTS;
    p.bind_int(h, 1, &id);
    p.bind_text(h, 2, note, sizeof(note), &length);
    p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
    p.execute(h);
    p.prepare(h, "SELECT id, note FROM $T WHERE id = ? AND note = ?");
    p.num_result_cols(h);
    p.execute(h);
    p.row_count(h);
    p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");  // the cursor is open
    p.fetch(h);
    p.close(h);
    p.prepare(h, "UPDATE $T SET note = 'changed' WHERE id = ? AND note = ?");
    p.row_count(h);
    p.num_result_cols(h);
    p.execute(h);
    p.row_count(h);
    p.execute(h);
    p.row_count(h);
    p.prepare(h, "INSERT INTO nowhere (id, note) VALUES (?, ?)");
    p.execute(h);
    p.row_count(h);
    id = 2;
    p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
    p.execute(h);
    p.execute(h);  // a duplicate
    p.row_count(h);
    p.close(h);
    id = 3;
    p.execute(h);
    p.row_count(h);
    p.exec(h, "DELETE FROM $T WHERE id = ? AND note = ?");
    p.row_count(h);
    p.execute(h);  // ExecDirect has taken its place
    id = 4;
    p.exec(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
    for (id = 5; id < 8; ++id) {
      p.execute(h);
      p.row_count(h);
    }
    p.drop(h);
    if (!on) p.commit();
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.run("DELETE FROM $T");
    p.commit();
  }
}

// Addresses that are no addresses until the offset is added, as some programs bind.
void small_numbers_as_addresses(Program& p) {
  Row row = {91, 0, "based", SQL_NTS};
  SQLULEN base = reinterpret_cast<SQLULEN>(&row);
  SQLHSTMT h = p.stmt();
  p.set_stmt_pointer(h, SQL_ATTR_PARAM_BIND_OFFSET_PTR, &base);
  p.bind_int(h, 1, reinterpret_cast<SQLINTEGER*>(offsetof(Row, id)),
             reinterpret_cast<SQLLEN*>(offsetof(Row, id_length)));
  p.bind_text(h, 2, reinterpret_cast<char*>(offsetof(Row, note)), sizeof(row.note),
              reinterpret_cast<SQLLEN*>(offsetof(Row, note_length)));
  p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
  if (!p.postgres()) {
    // Parameter 1 has the address 0, which other drivers take for no binding.
    p.drop(h);
    return;
  }
  p.execute(h);
  p.row_count(h);
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void partial_failure(Program& p, const std::string& extra) {
  if (!p.connect(extra)) return;
  for (const bool on : {true, false}) {
    p.autocommit(on);
    Columns columns;
    columns.id[2] = 1;  // a duplicate
    SQLHSTMT h = p.stmt();
    columns.bind(p, h);
    p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
    run_array(p, h, columns);
    p.drop(h);
    p.commit();
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.run("DELETE FROM $T");
    p.commit();
  }
}

void partial_failure_by_default(Program& p) {
  partial_failure(p, "");
}
void partial_failure_one_by_one(Program& p) {
  partial_failure(p, "BatchSize=1;");
}

void feed(Program& p, SQLHSTMT h, const std::vector<const char*>& pieces) {
  SQLRETURN ret = p.param_data(h);
  for (int i = 0; i < 20 && ret == SQL_NEED_DATA; ++i) {
    for (const char* piece : pieces) {
      if (piece == nullptr) {
        p.put_data(h, nullptr, SQL_NULL_DATA);
      } else {
        p.put_data(h, piece, static_cast<SQLLEN>(std::strlen(piece)));
      }
    }
    ret = p.param_data(h);
  }
}

void data_at_execution(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER id = 1;
  SQLLEN late = SQL_LEN_DATA_AT_EXEC(0);
  SQLLEN late_too = SQL_DATA_AT_EXEC;
  p.bind_int(h, 1, &id);
  p.bind_parameter(h, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_LONGVARCHAR, 4000, 0,
                   reinterpret_cast<SQLPOINTER>(22), 0, &late);
  p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
  for (const std::vector<const char*>& pieces :
       std::vector<std::vector<const char*>>{{"whole"}, {"a", "b", "", "c"}, {nullptr}, {""}}) {
    p.execute(h);
    feed(p, h, pieces);
    p.row_count(h);
    ++id;
  }
  p.bind_parameter(h, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_INTEGER, 10, 0,
                   reinterpret_cast<SQLPOINTER>(11), 0, &late_too);
  p.execute(h);
  feed(p, h, {"7", "7"});
  p.exec(h, "UPDATE $T SET note = 'changed' WHERE id = ? AND note = ?");
  feed(p, h, {"77"});
  p.row_count(h);
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void data_at_execution_given_up(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER id = 1;
  SQLLEN late = SQL_DATA_AT_EXEC;
  p.bind_int(h, 1, &id);
  p.bind_parameter(h, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 40, 0,
                   reinterpret_cast<SQLPOINTER>(22), 0, &late);
  p.exec(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
  p.param_data(h);
  p.put_data(h, "half", 4);
  p.cancel(h);
  p.param_data(h);
  p.exec(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
  p.cancel(h);
  p.exec(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
  p.execute(h);
  p.row_count(h);
  p.param_data(h);
  p.put_data(h, "kept", 4);
  p.put_data(h, nullptr, SQL_NULL_DATA);
  p.param_data(h);
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void data_at_execution_that_fails(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    SQLHSTMT h = p.stmt();
    SQLINTEGER id = 1;
    SQLLEN late = SQL_DATA_AT_EXEC;
    p.bind_int(h, 1, &id);
    p.bind_parameter(h, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 40, 0,
                     reinterpret_cast<SQLPOINTER>(22), 0, &late);
    p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
    for (int i = 0; i < 2; ++i) {
      p.execute(h);
      feed(p, h, {"same", " key"});
    }
    p.drop(h);
    p.commit();
    p.query("SELECT id, note FROM $T ORDER BY id");
    p.run("DELETE FROM $T");
    p.commit();
  }
}

void default_parameters(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER id = 1;
  SQLLEN by_default = SQL_DEFAULT_PARAM;
  char note[10] = "given";
  p.bind_int(h, 1, &id);
  p.bind_text(h, 2, note, sizeof(note), &by_default);
  p.exec(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
  p.row_count(h);
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void one_binding_many_executions(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER id = 0;
  char note[12] = "";
  SQLLEN length = SQL_NTS;
  p.bind_int(h, 1, &id);
  p.bind_text(h, 2, note, sizeof(note), &length);
  p.exec(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
  p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
  p.num_params(h);
  p.describe_param(h, 1);
  p.describe_param(h, 2);
  p.describe_param(h, 3);
  for (id = 1; id < 4; ++id) {
    std::strcpy(note, id == 2 ? "second" : "another");
    length = id == 3 ? 4 : SQL_NTS;
    p.execute(h);
    p.row_count(h);
  }
  p.prepare(h, "UPDATE $T SET id = id + ? WHERE note = ?");
  id = 100;
  p.execute(h);
  p.row_count(h);
  p.num_result_cols(h);
  p.free_stmt(h, SQL_RESET_PARAMS);
  p.execute(h);
  p.bind_int(h, 1, &id);
  p.exec(h, "DELETE FROM $T WHERE id = ?");
  p.exec(h, "INSERT INTO $T (id) VALUES (?)");
  p.exec(h, "INSERT INTO $T (id) VALUES (?), (?)");
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void parameters_are_described(Program& p) {
  for (const char* sql :
       {"INSERT INTO $T (id, note) VALUES (?, ?)", "UPDATE $T SET note = ? WHERE id = ?",
        "DELETE FROM $T WHERE id = ?", "SELECT note FROM $T WHERE id = ? AND note LIKE ?",
        "SELECT '?', \"id\" FROM $T -- ?", "INSERT INTO $T (id) VALUES (1)"}) {
    SQLHSTMT h = p.stmt();
    p.prepare(h, sql);
    p.num_result_cols(h);
    p.num_params(h);
    p.describe_param(h, 1);
    p.describe_param(h, 2);
    p.get_desc_field(p.descriptor(h, SQL_ATTR_IMP_PARAM_DESC), 0, SQL_DESC_COUNT);
    p.drop(h);
  }
}

}  // namespace

void add_parameter_cases(Cases& all) {
  const auto add = [&](const char* name, void (*body)(Program&), unsigned engines = kAll,
                       bool own = false) {
    all.push_back({"Parameters",
                   name,
                   engines,
                   {"CREATE TABLE $T (id int PRIMARY KEY, note varchar(40) DEFAULT 'default')"},
                   body,
                   own});
  };
  add("ArraysByColumn", arrays_by_column);
  add("ArraysByRowWithOffset", arrays_by_row_with_offset);
  add("ArraysWithoutStatus", arrays_without_status);
  add("PreparedAgain", prepared_again);
  add("SmallNumbersAsAddresses", small_numbers_as_addresses);
  add("PartialFailureByDefault", partial_failure_by_default, kAll, true);
  add("PartialFailureOneByOne", partial_failure_one_by_one, kPostgres, true);
  add("DataAtExecution", data_at_execution);
  add("DataAtExecutionGivenUp", data_at_execution_given_up);
  add("DataAtExecutionThatFails", data_at_execution_that_fails);
  // libmaodbc 3.1.15 writes through a status pointer that is not set (valgrind).
  add("DefaultParameters", default_parameters, kPostgres | kSqlite);
  add("OneBindingManyExecutions", one_binding_many_executions);
  add("ParametersAreDescribed", parameters_are_described);
}

}  // namespace understudy::parity
