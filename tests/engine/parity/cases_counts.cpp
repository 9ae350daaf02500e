// Row counts in the header of diagnostics, of executions that ran, failed or never began.
#include <cstring>

#include "tests/engine/parity/case.h"
#include "tests/engine/parity/program.h"

namespace understudy::parity {
namespace {

constexpr SQLULEN kSets = 4;

/// One parameter of the two that the texts have.
struct One {
  SQLINTEGER id = 1;
  SQLINTEGER part = 1;
  void bind(Program& p, SQLHSTMT h) {
    p.bind_int(h, 1, &id);
    p.bind_int(h, 2, &part);
  }
};

void fill(Program& p) {
  p.run("DELETE FROM $T");
  p.run("INSERT INTO $T (id, part) VALUES (1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (7, 4)");
}

// What each way of execution leaves, and a refused execution behind it.
void refused_for_a_parameter(Program& p) {
  constexpr const char* kUpdate = "UPDATE $T SET note = 'x' WHERE id >= ? AND part = ?";
  for (const bool on : {true, false}) {
    p.autocommit(on);
    fill(p);
    for (int way = 0; way < 8; ++way) {
      p.note("way", way);
      One one;
      SQLHSTMT h = p.stmt();
      one.bind(p, h);
      p.prepare(h, kUpdate);
      if (way != 1) p.execute(h);
      if (way == 2) p.exec(h, "DELETE FROM $T WHERE id < ? AND part = ?");
      if (way == 3) p.exec(h, "UPDATE $T SET note = 'y'");
      if (way == 4) {
        p.exec(h, "SELECT id FROM $T WHERE id < ? AND part = ? ORDER BY id");
        p.fetch(h);
        p.close(h);
      }
      if (way == 5) p.exec(h, "UPDATE no_such_table SET note = 'y'");
      if (way == 5 && !on) p.rollback();
      if (way == 6) p.prepare(h, "UPDATE $T SET note = 'z' WHERE id < ? AND part = ?");
      if (way == 7) p.close(h);
      p.free_stmt(h, SQL_RESET_PARAMS);
      p.execute(h);
      p.row_count(h);
      p.execute(h);
      p.exec(h, "UPDATE $T SET note = 'w' WHERE id = ?");
      p.header(h);
      one.bind(p, h);
      p.execute(h);
      p.row_count(h);
      p.header(h);
      p.drop(h);
    }
    p.rollback();
  }
}

struct Sets {
  SQLINTEGER id[kSets] = {1, 2, 3, 4};
  SQLINTEGER part[kSets] = {1, 9, 2, 3};
  SQLUSMALLINT operation[kSets] = {SQL_PARAM_PROCEED, SQL_PARAM_PROCEED, SQL_PARAM_PROCEED,
                                   SQL_PARAM_PROCEED};
  SQLUSMALLINT status[kSets] = {77, 77, 77, 77};
  SQLULEN processed = 7777;

  void bind(Program& p, SQLHSTMT h) {
    p.set_stmt_attr(h, SQL_ATTR_PARAMSET_SIZE, kSets);
    p.set_stmt_pointer(h, SQL_ATTR_PARAM_STATUS_PTR, status);
    p.set_stmt_pointer(h, SQL_ATTR_PARAMS_PROCESSED_PTR, &processed);
    p.bind_int(h, 1, id);
    p.bind_int(h, 2, part);
  }
  void show(Program& p) {
    std::vector<SQLLEN> all = {static_cast<SQLLEN>(processed)};
    for (SQLUSMALLINT& one : status) {
      all.push_back(one);
      one = 77;
    }
    p.note("processed, status", all);
  }
};

void show_results(Program& p, SQLHSTMT h, Sets& sets) {
  sets.show(p);
  p.header(h);
  for (SQLULEN i = 0; i <= kSets; ++i) {
    p.row_count(h);
    p.header(h);
    if (!SQL_SUCCEEDED(p.more_results(h))) break;
  }
  p.row_count(h);
  p.close(h);
  p.header(h);
}

constexpr const char* kArrays[] = {
    "UPDATE $T SET note = 'a' WHERE id > ? AND part = ?",
    "UPDATE $T SET note = 'b' WHERE id <> ? AND part <> ?",
    "UPDATE $T SET part = part + 0 * ? WHERE part = ?",
    "UPDATE $T SET note = 'k' WHERE id = ? OR id = ?",
    "INSERT INTO $T (id, part) VALUES (100 + ?, ?)",
    "INSERT INTO $T (id, part) SELECT id + 1000 * ?, part FROM $T WHERE part = ?",
    "DELETE FROM $T WHERE id = ? OR part = ?",
};

constexpr const char* kArraysOfMaria[] = {
    "REPLACE INTO $T (id, part) VALUES (?, ?)",
    "REPLACE INTO $T (id, part) SELECT id + 1000 * ?, part FROM $T WHERE part = ?",
    "INSERT INTO $T SET id = 300 + ?, part = ?",
    "INSERT IGNORE INTO $T (id, part) VALUES (?, ?)",
    "INSERT INTO $T (id, part) VALUES (?, ?) ON DUPLICATE KEY UPDATE note = 'd'",
    "UPDATE $T a JOIN $T b ON a.id = b.id SET a.note = 'j' WHERE a.id = ? OR b.part = ?",
    "UPDATE $T a, $T b SET a.note = 'm' WHERE a.id = b.id AND a.id = ? AND b.part = ?",
    "UPDATE $T SET note = 's' WHERE id = ? OR part IN (SELECT ?)",
    "DELETE a FROM $T a JOIN $T b ON a.id = b.id WHERE a.id = ? OR b.part = ?",
    "/* first */ UPDATE $T SET note = 'c' WHERE id = ? OR part = ?",
    "INSERT INTO $T (id, part) VALUES (400 + ?, (SELECT ?))",
};

void arrays_of_maria(Program& p, SQLLEN bind_type) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    fill(p);
    for (const char* sql : kArraysOfMaria) {
      Sets sets;
      SQLHSTMT h = p.stmt();
      sets.bind(p, h);
      p.set_stmt_attr(h, SQL_ATTR_PARAM_BIND_TYPE, bind_type);
      p.prepare(h, sql);
      p.execute(h);
      show_results(p, h, sets);
      p.drop(h);
    }
    p.query("SELECT id, part, note FROM $T ORDER BY id");
    p.commit();
  }
}

void counts_of_arrays_sent_as_one(Program& p) {
  arrays_of_maria(p, SQL_PARAM_BIND_BY_COLUMN);
}
// The step of integers: as by column, but said to be by row.
void counts_of_arrays_sent_set_by_set(Program& p) {
  arrays_of_maria(p, sizeof(SQLINTEGER));
}

void counts_of_arrays(Program& p) {
  for (const bool on : {true, false}) {
    p.autocommit(on);
    fill(p);
    for (const char* sql : kArrays) {
      for (const bool direct : {false, true}) {
        Sets sets;
        SQLHSTMT h = p.stmt();
        sets.bind(p, h);
        if (direct) {
          for (SQLINTEGER& id : sets.id) id += 10;
          p.exec(h, sql);
        } else {
          p.prepare(h, sql);
          p.execute(h);
        }
        show_results(p, h, sets);
        p.drop(h);
      }
    }
    p.query("SELECT id, part, note FROM $T ORDER BY id");
    p.run("DELETE FROM $T");
    p.commit();
  }
}

void counts_of_arrays_with_ignored_sets(Program& p) {
  fill(p);
  for (const SQLULEN ignored : {SQLULEN{0}, SQLULEN{2}, kSets - 1}) {
    for (const char* sql : kArrays) {
      Sets sets;
      for (SQLINTEGER& id : sets.id) id += static_cast<SQLINTEGER>(20 * (ignored + 1));
      sets.operation[ignored] = SQL_PARAM_IGNORE;
      SQLHSTMT h = p.stmt();
      p.set_stmt_pointer(h, SQL_ATTR_PARAM_OPERATION_PTR, sets.operation);
      sets.bind(p, h);
      p.prepare(h, sql);
      p.execute(h);
      show_results(p, h, sets);
      p.drop(h);
    }
  }
  p.query("SELECT id, part, note FROM $T ORDER BY id");
}

// `failing`: the set with a key that is there.
void failing_arrays(Program& p, const char* extra, SQLLEN bind_type = SQL_PARAM_BIND_BY_COLUMN) {
  if (!p.connect(extra)) return;
  for (const bool on : {true, false}) {
    p.autocommit(on);
    for (SQLULEN failing = 0; failing < kSets; ++failing) {
      for (const char* sql :
           {"INSERT INTO $T (id, part) VALUES (?, ?)",
            "INSERT INTO $T (id, part) SELECT id + 100 * ?, part FROM $T WHERE part = ?",
            "UPDATE $T SET id = 10 - 9 * ? WHERE part = ?",
            "UPDATE $T SET note = 'n', part = 5 / ? WHERE part = ?",
            "DELETE FROM $T WHERE (SELECT 1 UNION SELECT CASE WHEN ? = 1 THEN 2 ELSE 1 END) = 1 "
            "AND part = ?"}) {
        fill(p);
        p.commit();
        Sets sets;
        for (SQLULEN i = 0; i < kSets; ++i) sets.id[i] = static_cast<SQLINTEGER>(50 + i);
        sets.id[failing] = sql[0] == 'U' ? (std::strstr(sql, "note") != nullptr ? 0 : 1) : 1;
        SQLHSTMT h = p.stmt();
        sets.bind(p, h);
        p.set_stmt_attr(h, SQL_ATTR_PARAM_BIND_TYPE, bind_type);
        p.prepare(h, sql);
        p.execute(h);
        show_results(p, h, sets);
        p.drop(h);
        p.commit();
        p.query("SELECT id, part, note FROM $T ORDER BY id");
      }
    }
  }
}

void in_batches(Program& p, const char* size) {
  if (!p.connect(size)) return;
  counts_of_arrays(p);
  counts_of_arrays_with_ignored_sets(p);
}
void counts_of_arrays_one_by_one(Program& p) {
  in_batches(p, "BatchSize=1;");
}
void counts_of_arrays_in_batches(Program& p) {
  in_batches(p, "BatchSize=3;");
}

void counts_of_failing_arrays(Program& p) {
  failing_arrays(p, "");
}
// MariaDB: the step of integers, as above.
void counts_of_failing_arrays_set_by_set(Program& p) {
  failing_arrays(p, "", sizeof(SQLINTEGER));
}
void counts_of_failing_arrays_one_by_one(Program& p) {
  failing_arrays(p, "BatchSize=1;");
}
void counts_of_failing_arrays_at_level_0(Program& p) {
  failing_arrays(p, "Protocol=7.4-0;BatchSize=1;");
}
void counts_of_failing_arrays_at_level_1(Program& p) {
  failing_arrays(p, "Protocol=7.4-1;BatchSize=1;");
}

}  // namespace

void add_count_cases(Cases& all) {
  const auto add = [&](const char* name, void (*body)(Program&), unsigned engines = kAll,
                       bool own = false) {
    all.push_back({"Counts",
                   name,
                   engines,
                   {"CREATE TABLE $T (id int PRIMARY KEY, part int, note varchar(40))"},
                   body,
                   own});
  };
  add("RefusedForAParameter", refused_for_a_parameter);
  add("CountsOfArrays", counts_of_arrays);
  add("CountsOfArraysWithIgnoredSets", counts_of_arrays_with_ignored_sets);
  add("CountsOfArraysOneByOne", counts_of_arrays_one_by_one, kPostgres, true);
  add("CountsOfArraysInBatches", counts_of_arrays_in_batches, kPostgres, true);
  add("CountsOfArraysSentAsOne", counts_of_arrays_sent_as_one, kMaria);
  add("CountsOfArraysSentSetBySet", counts_of_arrays_sent_set_by_set, kMaria);
  add("CountsOfFailingArrays", counts_of_failing_arrays, kAll, true);
  add("CountsOfFailingArraysSetBySet", counts_of_failing_arrays_set_by_set, kMaria, true);
  add("CountsOfFailingArraysOneByOne", counts_of_failing_arrays_one_by_one, kPostgres, true);
  add("CountsOfFailingArraysAtLevel0", counts_of_failing_arrays_at_level_0, kPostgres, true);
  add("CountsOfFailingArraysAtLevel1", counts_of_failing_arrays_at_level_1, kPostgres, true);
}

}  // namespace understudy::parity
