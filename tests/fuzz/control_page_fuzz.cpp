// libFuzzer target for the head page and the slots of the shared memory, which a hostile
// application of the group may write: when they are opened, and while they are used.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "journal/gate.h"
#include "journal/segment_map.h"
#include "tests/fuzz/patched.h"
#include "tests/fuzz/scratch.h"

namespace {

using namespace understudy;

constexpr char kMigration[] = "fuzz";
constexpr std::size_t kPageBytesChanged = 1024;
constexpr std::uint32_t kSlotsChanged = 8;
constexpr rlim_t kDescriptorsOfOthers = 100;
constexpr std::uint64_t kPassed = 1;  // a deadline

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

SegmentMap& segment() {
  static const std::string home = fuzz::scratch_folder();
  static const auto map = [] {
    auto made = SegmentMap::open_or_create(home, kMigration, kRingBytesMin);
    require(made.ok() && SegmentMap::remove(home, kMigration).ok());  // the mapping stays
    return *made;
  }();
  return *map;
}

/// What sessions and tools do with a page. No wait is begun: each deadline has passed.
void use(SegmentMap& map) {
  for (std::uint32_t i = 0; i < kSlotsChanged; ++i) {
    (void)map.liveness(i);
    (void)map.release_dead(i);
  }
  require(map.reason().size() <= kReasonBytes);
  Gate gate(map);
  std::uint32_t dead = 0;
  if (const auto token = gate.close(kPassed); token.ok()) {
    (void)gate.wait_clear(kPassed, &dead);
    (void)gate.open(*token);
  }
  Hold hold(map);
  if (const auto session = map.register_session(); session.ok()) {
    Slot& slot = map.slot(*session);
    bool timed_out = false;
    const BeginWrite how = hold.begin_write(slot, kPassed, &timed_out, false);
    if (how == BeginWrite::recorded || how == BeginWrite::unrecorded) hold.end_write(slot);
    map.unregister_session(*session);
  }
  if (const auto word = hold.begin(kPassed); word.ok()) {
    (void)hold.wait_clear(Writing::recorded, kPassed);
    (void)hold.finish(*word, Mode::record);
  }
  map.invalidate("the fuzzer has seen enough");
  require(map.reason().size() <= kReasonBytes);
}

/// Changes what is behind the part that is checked when a page is opened.
void change(SegmentMap& map, std::span<const std::uint8_t> input) {
  auto* page = reinterpret_cast<char*>(&map.header());
  const std::size_t first = offsetof(ControlHeader, mode_word);
  const std::string header = fuzz::patched({page + first, sizeof(ControlHeader) - first}, input);
  std::memcpy(page + first, header.data(), std::min(header.size(), sizeof(ControlHeader) - first));
  auto* slots = reinterpret_cast<char*>(&map.slot(0));
  const std::size_t bytes = kSlotsChanged * sizeof(Slot);
  const std::string changed = fuzz::patched({slots, bytes}, input);
  std::memcpy(slots, changed.data(), std::min(changed.size(), bytes));
}

/// A page that another process finds under the name.
void open_page(std::string_view page, const std::string& home) {
  const std::string name = segment_name(home, kMigration);
  const int file = ::shm_open(name.c_str(), O_CREAT | O_RDWR | O_EXCL, 0660);
  require(file >= 0);
  require(::ftruncate(file, static_cast<off_t>(kRingOffset + kRingBytesMin)) == 0);
  require(::pwrite(file, page.data(), page.size(), 0) == static_cast<ssize_t>(page.size()));
  ::close(file);
  if (const auto opened = SegmentMap::open(home, kMigration); opened.ok()) use(**opened);
  require(SegmentMap::remove(home, kMigration).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static SegmentMap& map = segment();
  static const std::string fresh(reinterpret_cast<const char*>(&map.header()), kPageBytesChanged);
  const std::span<const std::uint8_t> input(data + 1, size - 1);
  std::memcpy(reinterpret_cast<char*>(&map.header()), fresh.data(), sizeof(ControlHeader));
  std::memset(reinterpret_cast<char*>(&map.slot(0)), 0, kSlotsChanged * sizeof(Slot));
  change(map, input);
  use(map);
  // A process keeps the descriptor of each segment it has opened (segment_map.h).
  static rlim_t pages_left = descriptors_max() - kDescriptorsOfOthers;
  if (data[0] % 8 == 1 && pages_left > 0) {
    --pages_left;
    static const std::string other = fuzz::scratch_folder();
    open_page(fuzz::patched(fresh, input), other);
  }
  return 0;
}
