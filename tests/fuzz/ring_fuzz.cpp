// libFuzzer target for the shared memory that a hostile application of the group may write: its
// head page when it is opened, and the ring when journald reads it.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "journal/gate.h"
#include "journal/ring.h"
#include "journal/segment_map.h"
#include "tests/fuzz/patched.h"
#include "tests/fuzz/scratch.h"

namespace {

using namespace understudy;

constexpr char kMigration[] = "fuzz";
constexpr std::size_t kRingBytesChanged = 2048;
constexpr std::size_t kPageBytesChanged = 1024;
constexpr rlim_t kDescriptorsOfOthers = 100;

void require(bool condition) {
  if (!condition) std::abort();
}

rlim_t descriptors_max() {
  rlimit files{};
  require(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  require(::setrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max > kDescriptorsOfOthers);
  return files.rlim_max;
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

/// A page that another process finds under the name, as this one's memory would be seen by it.
void open_page(std::string_view page, const std::string& home) {
  const std::string name = segment_name(home, kMigration);
  const int file = ::shm_open(name.c_str(), O_CREAT | O_RDWR | O_EXCL, 0660);
  require(file >= 0);
  require(::ftruncate(file, static_cast<off_t>(kRingOffset + kRingBytesMin)) == 0);
  require(::pwrite(file, page.data(), page.size(), 0) == static_cast<ssize_t>(page.size()));
  ::close(file);
  const auto opened = SegmentMap::open(home, kMigration);
  if (opened.ok()) {
    for (std::uint32_t i = 0; i < 8; ++i) (void)(*opened)->liveness(i);
    (void)(*opened)->reason();
    read_ring(**opened);
  }
  require(SegmentMap::remove(home, kMigration).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 10) return 0;
  SegmentMap& map = segment();
  std::uint64_t tail = 0;
  std::memcpy(&tail, data + 1, sizeof(tail));
  const std::span<const std::uint8_t> rest(data + 9, size - 9);
  // The ring, with positions near its start or anywhere.
  std::memset(map.ring_data(), 0, map.ring_bytes());
  std::memcpy(map.ring_data(), rest.data(), std::min(rest.size(), kRingBytesChanged));
  map.header().head = data[0] % 4 == 0 ? tail / 2 : 0;
  map.header().tail = data[0] % 2 == 0 ? tail : tail % kRingBytesChanged / 8 * 8;
  read_ring(map);
  // The head page.
  // A process keeps the descriptor of each segment it has opened (segment_map.h).
  static rlim_t pages_left = descriptors_max() - kDescriptorsOfOthers;
  if (data[0] % 8 == 1 && pages_left > 0) {
    --pages_left;
    map.header().head = 0;
    map.header().tail = 0;
    const std::string page(reinterpret_cast<const char*>(&map.header()), kPageBytesChanged);
    static const std::string other = fuzz::scratch_folder();
    open_page(fuzz::patched(page, rest), other);
  }
  return 0;
}
