#include "driver/sql/dialects.h"
namespace understudy::sql {
void analyze_sqlite(const TokenizedText&, const Catalog&, Analysis* a) {
  set_opaque(a, "dialect");
}
}  // namespace understudy::sql
