#include "driver/sql/session_locks.h"

#include <gtest/gtest.h>

namespace understudy::sql {
namespace {

SessionLocks postgresql(std::string_view text) {
  return session_locks(text, Dialect::postgresql);
}

SessionLocks mariadb(std::string_view text) {
  return session_locks(text, Dialect::mariadb);
}

TEST(SessionLocks, CallsAreCounted) {
  EXPECT_EQ(postgresql("SELECT pg_advisory_lock(1), pg_catalog.PG_TRY_ADVISORY_LOCK (2)").taken, 2);
  EXPECT_EQ(postgresql("SELECT pg_advisory_unlock(1)").freed, 1);
  EXPECT_TRUE(postgresql("SELECT pg_advisory_unlock_all()").all_freed);
  EXPECT_EQ(mariadb("DO GET_LOCK('a', 1)").taken, 1);
  EXPECT_EQ(mariadb("SELECT RELEASE_LOCK(?)").freed, 1);
  EXPECT_TRUE(mariadb("SELECT RELEASE_ALL_LOCKS()").all_freed);
}

TEST(SessionLocks, WhatEndsWithItsTransactionIsNone) {
  EXPECT_FALSE(postgresql("SELECT pg_advisory_xact_lock(1)").any());
  EXPECT_FALSE(postgresql("LOCK TABLE t IN EXCLUSIVE MODE").any());
  EXPECT_FALSE(postgresql("DECLARE c CURSOR FOR SELECT 1").any());
  EXPECT_FALSE(postgresql("SELECT 'pg_advisory_lock(1)'").any());
  EXPECT_FALSE(mariadb("SELECT * FROM t FOR UPDATE").any());
  EXPECT_FALSE(mariadb("SELECT IS_USED_LOCK('a')").any());
  EXPECT_FALSE(session_locks("SELECT get_lock('a', 1)", Dialect::sqlite).any());
}

TEST(SessionLocks, TablesAndCursorsAreTold) {
  EXPECT_TRUE(mariadb("LOCK TABLES t WRITE, u READ").tables_taken);
  EXPECT_TRUE(mariadb("UNLOCK TABLES").tables_freed);
  EXPECT_TRUE(postgresql("DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 1").cursor);
  EXPECT_TRUE(postgresql("CLOSE ALL").cursor);
  EXPECT_TRUE(postgresql("DISCARD ALL").all_freed);
}

}  // namespace
}  // namespace understudy::sql
