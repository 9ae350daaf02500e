// libFuzzer target for the ring, which a hostile application of the group may write, when journald
// reads it.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>

#include "journal/ring.h"
#include "journal/segment_map.h"
#include "tests/fuzz/scratch.h"

namespace {

using namespace understudy;

constexpr char kMigration[] = "fuzz";
constexpr std::size_t kRingBytesChanged = 2048;

void require(bool condition) {
  if (!condition) std::abort();
}

/// What is read of the ring, with whatever positions the page claims.
void read_ring(SegmentMap& map) {
  Ring ring(map);
  std::size_t sum = 0;
  auto item = ring.peek();
  for (int i = 0; i < 500 && item.ok(); ++i) {
    for (const std::byte one : item->payload) sum += static_cast<std::size_t>(one);
    item = ring.peek_after(*item);
  }
  require(sum < SIZE_MAX);
  auto first = ring.peek();
  for (int i = 0; i < 500 && first.ok(); ++i) {
    ring.consume(*first);
    first = ring.peek();
  }
}

SegmentMap& segment() {
  static const std::string home = fuzz::scratch_folder();
  static const auto map = [] {
    auto made = SegmentMap::open_or_create(home, kMigration, kRingBytesMin);
    require(made.ok() && SegmentMap::remove(home, kMigration).ok());  // the mapping stays
    return *made;
  }();
  return *map;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 10) return 0;
  SegmentMap& map = segment();
  std::uint64_t tail = 0;
  std::memcpy(&tail, data + 1, sizeof(tail));
  const std::span<const std::uint8_t> rest(data + 9, size - 9);
  // With positions near its start or anywhere.
  std::memset(map.ring_data(), 0, map.ring_bytes());
  std::memcpy(map.ring_data(), rest.data(), std::min(rest.size(), kRingBytesChanged));
  map.header().head = data[0] % 4 == 0 ? tail / 2 : 0;
  map.header().tail = data[0] % 2 == 0 ? tail : tail % kRingBytesChanged / 8 * 8;
  read_ring(map);
  return 0;
}
