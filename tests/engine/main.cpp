#include <gtest/gtest.h>

#include "tests/support/engines.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  understudy::OdbcEnvironment::shared();  // libodbc reads its configuration at the first connect
  return RUN_ALL_TESTS();
}
