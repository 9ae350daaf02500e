// Descriptors: implicit, explicit, shared, copied, freed in use.
#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

SQLPOINTER number(SQLLEN value) {
  return reinterpret_cast<SQLPOINTER>(value);
}

void show_header(Program& p, SQLHDESC d) {
  for (const SQLSMALLINT field :
       {SQL_DESC_ALLOC_TYPE, SQL_DESC_ARRAY_SIZE, SQL_DESC_ARRAY_STATUS_PTR,
        SQL_DESC_BIND_OFFSET_PTR, SQL_DESC_BIND_TYPE, SQL_DESC_COUNT,
        SQL_DESC_ROWS_PROCESSED_PTR}) {
    p.get_desc_field(d, 0, field);
  }
}

void show_record(Program& p, SQLHDESC d, SQLSMALLINT record) {
  for (const SQLSMALLINT field : {SQL_DESC_AUTO_UNIQUE_VALUE,
                                  SQL_DESC_BASE_COLUMN_NAME,
                                  SQL_DESC_BASE_TABLE_NAME,
                                  SQL_DESC_CASE_SENSITIVE,
                                  SQL_DESC_CATALOG_NAME,
                                  SQL_DESC_CONCISE_TYPE,
                                  SQL_DESC_DATA_PTR,
                                  SQL_DESC_DATETIME_INTERVAL_CODE,
                                  SQL_DESC_DISPLAY_SIZE,
                                  SQL_DESC_FIXED_PREC_SCALE,
                                  SQL_DESC_INDICATOR_PTR,
                                  SQL_DESC_LABEL,
                                  SQL_DESC_LENGTH,
                                  SQL_DESC_LITERAL_PREFIX,
                                  SQL_DESC_LOCAL_TYPE_NAME,
                                  SQL_DESC_NAME,
                                  SQL_DESC_NULLABLE,
                                  SQL_DESC_NUM_PREC_RADIX,
                                  SQL_DESC_OCTET_LENGTH,
                                  SQL_DESC_OCTET_LENGTH_PTR,
                                  SQL_DESC_PARAMETER_TYPE,
                                  SQL_DESC_PRECISION,
                                  SQL_DESC_ROWVER,
                                  SQL_DESC_SCALE,
                                  SQL_DESC_SCHEMA_NAME,
                                  SQL_DESC_SEARCHABLE,
                                  SQL_DESC_TABLE_NAME,
                                  SQL_DESC_TYPE,
                                  SQL_DESC_TYPE_NAME,
                                  SQL_DESC_UNNAMED,
                                  SQL_DESC_UNSIGNED,
                                  SQL_DESC_UPDATABLE,
                                  7777}) {
    p.get_desc_field(d, record, field);
  }
  if (!p.maria() || record == 1) p.get_desc_rec(d, record);  // see Program::get_desc_rec
}

constexpr SQLINTEGER kFour[] = {SQL_ATTR_APP_ROW_DESC, SQL_ATTR_APP_PARAM_DESC,
                                SQL_ATTR_IMP_ROW_DESC, SQL_ATTR_IMP_PARAM_DESC};

void all_four_of_a_query(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER id = 1;
  SQLLEN length = 0;
  char note[20] = "";
  p.prepare(h, "SELECT id, note FROM $T WHERE id = ?");
  p.bind_int(h, 1, &id, &length);
  p.bind_col(h, 2, SQL_C_CHAR, note, sizeof(note), &length);
  p.execute(h);
  for (const SQLINTEGER which : kFour) {
    SQLHDESC d = p.descriptor(h, which);
    show_header(p, d);
    // libmaodbc 3.1.15 reads before its records at number 0 and dies. It makes a record that it is
    // asked for, and SQLFetch then reads the column of each, whether the result has it or not.
    const SQLSMALLINT last = p.maria() ? 2 : 3;
    for (SQLSMALLINT record = p.maria() ? 1 : 0; record <= last; ++record)
      show_record(p, d, record);
  }
  p.fetch(h);
  p.drop(h);
}

void all_four_of_an_insert(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER id = 11;
  p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, 'made')");
  p.bind_int(h, 1, &id);
  for (const SQLINTEGER which : kFour) show_header(p, p.descriptor(h, which));
  p.execute(h);
  for (const SQLINTEGER which : kFour) {
    SQLHDESC d = p.descriptor(h, which);
    show_header(p, d);
    show_record(p, d, 1);
  }
  p.drop(h);
}

void binding_through_descriptors(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER id = 21;
  char note[20] = "by descriptor";
  SQLLEN octets = SQL_NTS;
  SQLLEN indicator = 0;
  SQLHDESC apd = p.descriptor(h, SQL_ATTR_APP_PARAM_DESC);
  SQLHDESC ipd = p.descriptor(h, SQL_ATTR_IMP_PARAM_DESC);
  p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, ?)");
  p.set_desc_field(apd, 1, SQL_DESC_CONCISE_TYPE, number(SQL_C_SLONG));
  p.set_desc_field(ipd, 1, SQL_DESC_CONCISE_TYPE, number(SQL_INTEGER));
  p.set_desc_field(ipd, 1, SQL_DESC_PARAMETER_TYPE, number(SQL_PARAM_INPUT));
  p.set_desc_field(apd, 1, SQL_DESC_DATA_PTR, &id, false);
  p.set_desc_field(apd, 2, SQL_DESC_CONCISE_TYPE, number(SQL_C_CHAR));
  p.set_desc_field(apd, 2, SQL_DESC_OCTET_LENGTH, number(sizeof(note)));
  p.set_desc_field(ipd, 2, SQL_DESC_CONCISE_TYPE, number(SQL_VARCHAR));
  p.set_desc_field(ipd, 2, SQL_DESC_LENGTH, number(40));
  p.set_desc_field(apd, 2, SQL_DESC_OCTET_LENGTH_PTR, &octets, false);
  p.set_desc_field(apd, 2, SQL_DESC_INDICATOR_PTR, &indicator, false);
  p.set_desc_field(apd, 2, SQL_DESC_DATA_PTR, note, false);
  p.execute(h);
  id = 22;
  octets = 2;
  p.execute(h);
  id = 23;
  indicator = SQL_NULL_DATA;
  p.execute(h);
  p.row_count(h);
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void binding_by_records(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLINTEGER id = 31;
  SQLLEN length = sizeof(id);
  p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, 'record')");
  p.set_desc_rec(p.descriptor(h, SQL_ATTR_APP_PARAM_DESC), 1, SQL_C_SLONG, 0, 4, 10, 0, &id,
                 &length, &length);
  p.set_desc_rec(p.descriptor(h, SQL_ATTR_IMP_PARAM_DESC), 1, SQL_INTEGER, 0, 4, 10, 0, nullptr,
                 nullptr, nullptr);
  p.execute(h);
  p.set_desc_rec(p.descriptor(h, SQL_ATTR_IMP_ROW_DESC), 1, SQL_INTEGER, 0, 4, 10, 0, nullptr,
                 nullptr, nullptr);
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void one_descriptor_for_two_statements(Program& p) {
  SQLHSTMT a = p.stmt();
  SQLHSTMT b = p.stmt();
  SQLHDESC shared = p.alloc_desc();
  SQLINTEGER id = 41;
  SQLLEN length = 0;
  show_header(p, shared);
  p.set_stmt_pointer(a, SQL_ATTR_APP_PARAM_DESC, shared);
  p.set_stmt_pointer(b, SQL_ATTR_APP_PARAM_DESC, shared);
  p.note("same", p.descriptor(a, SQL_ATTR_APP_PARAM_DESC) == shared ? 1 : 0);
  p.prepare(a, "INSERT INTO $T (id, note) VALUES (?, 'a')");
  p.prepare(b, "INSERT INTO $T (id, note) VALUES (? + 1, 'b')");
  p.bind_int(a, 1, &id, &length);
  p.bind_int(b, 1, &id, &length);
  p.execute(a);
  p.execute(b);
  show_record(p, shared, 1);
  p.set_stmt_pointer(a, SQL_ATTR_APP_PARAM_DESC, nullptr);
  id = 44;
  p.execute(b);
  p.bind_int(a, 1, &id, &length);
  p.execute(a);
  p.free_desc(shared);
  p.drop(a);
  p.drop(b);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void a_descriptor_freed_in_use(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLHDESC d = p.alloc_desc();
  SQLINTEGER id = 51;
  p.set_stmt_pointer(h, SQL_ATTR_APP_PARAM_DESC, d);
  p.prepare(h, "INSERT INTO $T (id, note) VALUES (?, 'kept')");
  p.bind_int(h, 1, &id);
  p.execute(h);
  p.free_desc(d);
  p.bind_int(h, 1, &id);
  id = 52;
  p.execute(h);
  p.drop(h);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void copies(Program& p) {
  SQLHSTMT a = p.stmt();
  SQLHSTMT b = p.stmt();
  SQLINTEGER id = 61;
  char note[20] = "copied";
  SQLLEN length = SQL_NTS;
  p.prepare(a, "INSERT INTO $T (id, note) VALUES (?, ?)");
  p.bind_int(a, 1, &id);
  p.bind_text(a, 2, note, sizeof(note), &length);
  SQLHDESC own = p.alloc_desc();
  p.copy_desc(p.descriptor(a, SQL_ATTR_APP_PARAM_DESC), own);
  show_header(p, own);
  show_record(p, own, 2);
  p.copy_desc(p.descriptor(a, SQL_ATTR_IMP_PARAM_DESC), p.descriptor(b, SQL_ATTR_IMP_PARAM_DESC));
  p.prepare(b, "INSERT INTO $T (id, note) VALUES (?, ?)");
  p.set_stmt_pointer(b, SQL_ATTR_APP_PARAM_DESC, own);
  p.execute(b);
  p.copy_desc(own, p.descriptor(b, SQL_ATTR_IMP_ROW_DESC));
  p.drop(a);
  p.drop(b);
  p.free_desc(own);
  p.query("SELECT id, note FROM $T ORDER BY id");
}

void row_descriptors_of_results(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLHDESC row = p.alloc_desc();
  SQLINTEGER id = 0;
  SQLLEN length = 0;
  p.set_desc_field(row, 1, SQL_DESC_TYPE, number(SQL_C_SLONG));
  p.set_desc_field(row, 1, SQL_DESC_OCTET_LENGTH_PTR, &length, false);
  p.set_desc_field(row, 1, SQL_DESC_INDICATOR_PTR, &length, false);
  p.set_desc_field(row, 1, SQL_DESC_DATA_PTR, &id, false);
  p.set_stmt_pointer(h, SQL_ATTR_APP_ROW_DESC, row);
  p.exec(h, "SELECT id FROM $T ORDER BY id");
  // psqlodbc: a descriptor whose array size is 0 gives an endless result.
  for (int i = 0; i < 4 && SQL_SUCCEEDED(p.fetch(h)); ++i) p.note("id", id);
  p.close(h);
  p.set_stmt_pointer(h, SQL_ATTR_APP_ROW_DESC, nullptr);
  p.exec(h, "SELECT id FROM $T ORDER BY id");
  id = -1;
  p.fetch(h);
  p.note("id", id);
  p.drop(h);
  p.free_desc(row);
}

void misused_descriptors(Program& p) {
  SQLHSTMT h = p.stmt();
  SQLHSTMT other = p.stmt();
  SQLHDESC implicit = p.descriptor(h, SQL_ATTR_APP_ROW_DESC);
  p.free_desc(implicit);
  p.set_stmt_pointer(other, SQL_ATTR_APP_ROW_DESC, implicit);
  p.set_stmt_pointer(other, SQL_ATTR_IMP_ROW_DESC, implicit);
  p.get_desc_field(implicit, 0, 7777);
  p.get_desc_field(implicit, -1, SQL_DESC_TYPE);
  p.set_desc_field(implicit, 1, SQL_DESC_TYPE, number(7777));
  p.get_desc_rec(p.descriptor(h, SQL_ATTR_IMP_ROW_DESC), 1);
  p.drop(h);
  p.drop(other);
}

}  // namespace

void add_descriptor_cases(Cases& all) {
  const auto add = [&](const char* name, void (*body)(Program&), unsigned engines = kAll) {
    all.push_back({"Descriptors",
                   name,
                   engines,
                   {"CREATE TABLE $T (id int PRIMARY KEY, note varchar(40))",
                    "INSERT INTO $T VALUES (1, 'one'), (2, 'two')"},
                   body});
  };
  // libsqliteodbc has no descriptors: every answer is of the driver manager or an error.
  constexpr unsigned kWithDescriptors = kPostgres | kMaria;
  add("AllFourOfAQuery", all_four_of_a_query);
  add("AllFourOfAnInsert", all_four_of_an_insert);
  add("BindingThroughDescriptors", binding_through_descriptors, kWithDescriptors);
  add("BindingByRecords", binding_by_records, kWithDescriptors);
  add("OneDescriptorForTwoStatements", one_descriptor_for_two_statements, kWithDescriptors);
  add("ADescriptorFreedInUse", a_descriptor_freed_in_use, kWithDescriptors);
  // libmaodbc 3.1.15 frees the records of a copied descriptor twice (valgrind).
  add("Copies", copies, kPostgres);
  add("RowDescriptorsOfResults", row_descriptors_of_results, kWithDescriptors);
  add("MisusedDescriptors", misused_descriptors);
}

}  // namespace understudy::parity
