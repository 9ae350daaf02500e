// Statements on PostgreSQL.
#include "tests/engine/exact_statements.h"

namespace understudy {
namespace {

class ExactPostgresql : public ExactStatements {
 protected:
  ExactPostgresql() : ExactStatements(Dialect::postgresql) {}
};

TEST_F(ExactPostgresql, PartitionedTables) {
  begin(
      {"CREATE TABLE sale (day date, id bigserial, region text NOT NULL, v numeric(9, 2),"
       " PRIMARY KEY (id, day, region)) PARTITION BY RANGE (day)",
       "CREATE TABLE sale_1 PARTITION OF sale FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
       "CREATE TABLE sale_2 PARTITION OF sale FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')"
       " PARTITION BY LIST (region)",
       "CREATE TABLE sale_2n PARTITION OF sale_2 FOR VALUES IN ('n')",
       "CREATE TABLE sale_2r PARTITION OF sale_2 DEFAULT",
       "CREATE TABLE bare (h int, v text) PARTITION BY HASH (h)",
       "CREATE TABLE bare_0 PARTITION OF bare FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
       "CREATE TABLE bare_1 PARTITION OF bare FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
       "INSERT INTO sale (day, region, v) SELECT '2026-01-01'::date + n, chr(109 + n % 3), n"
       " FROM generate_series(1, 50) n",
       "INSERT INTO bare SELECT n % 5, 'x' FROM generate_series(1, 20) n"});
  send({"INSERT INTO sale (day, region, v) VALUES ('2026-01-09', 'n', 1), ('2026-02-09', 'q', 2)",
        "INSERT INTO sale (day, id, region, v) VALUES ('2026-02-03', 1000, 'n', 5)",
        "UPDATE sale SET v = v + random() WHERE region = 'n'",
        "UPDATE sale SET v = 7 WHERE id = 3 AND day = '2026-01-04'",
        "UPDATE sale SET day = day + 20 WHERE day < '2026-01-10'",
        "UPDATE sale SET region = 'z' WHERE id = 1000", "DELETE FROM sale WHERE v > 40",
        "UPDATE sale_2n SET v = -v", "DELETE FROM sale_2 WHERE region = 'z'",
        "INSERT INTO sale (day, id, region) VALUES ('2026-02-03', 77, 'm')"
        " ON CONFLICT (id, day, region) DO UPDATE SET v = 1",
        "UPDATE bare SET h = h + 1, v = v || random() WHERE h < 3", "DELETE FROM bare WHERE h = 4",
        "INSERT INTO bare VALUES (1, NULL), (1, NULL)"});
  expect_equal(0);
}

TEST_F(ExactPostgresql, KeysThatAreInSeveralTablesByInheritance) {
  begin({"CREATE TABLE parent (id int PRIMARY KEY, v int)",
         "CREATE TABLE child (w int, PRIMARY KEY (id)) INHERITS (parent)",
         "INSERT INTO parent VALUES (1, 1), (2, 2)",
         "INSERT INTO child VALUES (1, 10, 0), (3, 30, 0)"});
  send({"INSERT INTO parent VALUES (3, 3)", "UPDATE child SET v = v + random() * 9 WHERE id = 1",
        "UPDATE parent SET v = v + 1 WHERE id = 1", "UPDATE ONLY parent SET v = v * 5 WHERE id = 1",
        "DELETE FROM parent WHERE id = 3"});
  expect_equal(3);
}

}  // namespace
}  // namespace understudy
