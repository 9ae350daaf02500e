#include "journal/segment_map.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xxhash.h>

#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "journal/access.h"
#include "journal/durable_recording.h"
#include "journal/mode.h"
#include "journal/process.h"

namespace understudy {
namespace {

constexpr std::size_t kMigrationNameMax = 64;
constexpr mode_t kSegmentMode = 0600;         // until it is given to its group
constexpr int kInterruptsMax = 100;           // signals while pages are reserved
constexpr std::uint64_t kPollNs = 1'000'000;  // while a creator writes the header

std::string system_error(std::string_view what, std::string_view name) {
  return fmt::format("{} of shared memory {} failed: {}", what, name, std::strerror(errno));
}

// --- the segment's file ---

struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};

FileId id_of(const struct stat& info) {
  return {info.st_dev, info.st_ino};
}

/// The file behind a shared-memory name, found without opening it: a descriptor opened only to look
/// could not be closed again.
std::optional<FileId> named_file(const std::string& name) {
  struct stat info {};
  if (::stat(("/dev/shm" + name).c_str(), &info) != 0) return std::nullopt;
  return id_of(info);
}

/// Programs close descriptors they do not know, and the number may then be another file.
bool refers_to(int fd, const FileId& file) {
  struct stat info {};
  return fd >= 0 && ::fstat(fd, &info) == 0 && id_of(info) == file;
}

/// Keeps clear of 0, 1 and 2, which a daemon may have closed and others write to.
int open_shared_memory(const std::string& name, int flags) {
  int standard[3];
  int taken = 0;
  while (taken < 3) {
    const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) break;
    if (fd > 2) {
      ::close(fd);
      break;
    }
    standard[taken++] = fd;
  }
  const int opened = ::shm_open(name.c_str(), flags, kSegmentMode);
  const int error = errno;
  while (taken > 0) ::close(standard[--taken]);
  errno = error;
  return opened;
}

enum class LockResult { taken, busy, failed };

struct flock byte_range(short type, std::uint64_t byte) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(byte);
  range.l_len = 1;
  return range;
}

LockResult take_byte(int fd, std::uint64_t byte) {
  struct flock range = byte_range(F_WRLCK, byte);
  if (::fcntl(fd, F_SETLK, &range) == 0) return LockResult::taken;
  return errno == EACCES || errno == EAGAIN ? LockResult::busy : LockResult::failed;
}

void give_byte(int fd, std::uint64_t byte) {
  struct flock range = byte_range(F_UNLCK, byte);
  ::fcntl(fd, F_SETLK, &range);
}

/// Of other processes; the kernel does not report the caller's own locks.
LockResult probe_byte(int fd, std::uint64_t byte) {
  struct flock range = byte_range(F_WRLCK, byte);
  if (::fcntl(fd, F_GETLK, &range) != 0) return LockResult::failed;
  return range.l_type == F_UNLCK ? LockResult::taken : LockResult::busy;
}

// --- descriptors and mappings of this process ---

struct Entry {
  std::weak_ptr<SegmentMap> map;
  int fd = -1;
  FileId file;
};

struct Registry {
  std::mutex mutex;  // also guards the held bytes of every map
  std::map<std::string, Entry> entries;
};

/// Never destroyed: drivers are called while a program's static objects are being destroyed.
Registry& registry() {
  static Registry* const instance = [] {
    auto* made = new Registry;
    ::pthread_atfork([] { registry().mutex.lock(); }, [] { registry().mutex.unlock(); },
                     [] { registry().mutex.unlock(); });
    return made;
  }();
  return *instance;
}

/// Registry locked. A file whose name is gone, and that this copy of the code maps no more, would
/// keep its memory for nobody. Whoever else in this process still maps it loses its locks with it,
/// and is known to live by its process.
void close_removed() {
  std::erase_if(registry().entries, [](const auto& one) {
    const Entry& entry = one.second;
    if (!entry.map.expired() || named_file(one.first) == entry.file) return false;
    if (refers_to(entry.fd, entry.file)) ::close(entry.fd);
    return true;
  });
}

// --- the header ---

std::uint32_t layout_hash() {
  const std::uint64_t layout[] = {
      kControlVersion,
      sizeof(Slot),
      offsetof(Slot, pid_namespace),
      offsetof(Slot, in_flight),
      offsetof(Slot, claim_intent),
      offsetof(Slot, route),
      offsetof(Slot, in_call),
      kSlotCount,
      kSlotsOffset,
      kRingOffset,
      offsetof(ControlHeader, boot_id),
      offsetof(ControlHeader, mode_word),
      offsetof(ControlHeader, gate_clear),
      offsetof(ControlHeader, durability_power),
      offsetof(ControlHeader, tail),
      offsetof(ControlHeader, head),
      offsetof(ControlHeader, journald_beat_ns),
      offsetof(ControlHeader, consumer_wake),
      offsetof(ControlHeader, sealed),
      offsetof(ControlHeader, in_doubt),
      offsetof(ControlHeader, journal_bytes),
      offsetof(ControlHeader, reason_state),
      offsetof(ControlHeader, reason),
      sizeof(ControlHeader),
  };
  return static_cast<std::uint32_t>(XXH3_64bits(layout, sizeof(layout)));
}

/// What a new segment begins with.
struct Beginning {
  std::uint64_t ring_bytes = kRingBytesDefault;
  SideInUse side = SideInUse::production;
  std::optional<DurableRecording> recording;  // that goes on
};

/// The programs of before the restart are gone, and those that come are to be recorded.
Mode mode_of_recording(SideInUse side) {
  if (side == SideInUse::undecided) return Mode::switching;
  return side == SideInUse::shadow ? Mode::switched : Mode::record;
}

template <class Number>
void set_once(std::atomic<Number>& word, Number value) {
  Number nothing = 0;
  word.compare_exchange_strong(nothing, value);
}

/// The same bytes whoever writes them: two copies of this code in one process may both believe to
/// be the creator, because a process never conflicts with its own byte-range locks.
void fill_header(ControlHeader& header, const Beginning& beginning) {
  const std::uint64_t ring_bytes = beginning.ring_bytes;
  std::memcpy(header.magic, kControlMagic, sizeof(header.magic));
  header.version = kControlVersion;
  header.layout_hash = layout_hash();
  header.segment_bytes = kRingOffset + ring_bytes;
  header.slots_offset = kSlotsOffset;
  header.ring_offset = kRingOffset;
  header.ring_bytes = ring_bytes;
  header.slot_count = kSlotCount;
  const std::string boot = boot_id();
  boot.copy(header.boot_id, sizeof(header.boot_id) - 1);
  if (beginning.recording) {
    header.durability_power.store(1);
    set_once(header.catalog_generation, 1u);
    set_once(header.next_session_id,
             std::uint64_t{beginning.recording->boots} << kSessionsOfBootBits);
    set_once(header.mode_word, mode_word(mode_of_recording(beginning.side), 1));
  } else if (beginning.side == SideInUse::shadow) {
    header.mode_word.store(mode_word(Mode::one_way, 1));
    static_assert(kNewSharedMemory.size() < kReasonBytes);
    kNewSharedMemory.copy(header.reason, kNewSharedMemory.size());
    header.reason_state.store(2);
  }
  header.ready.store(1, std::memory_order_release);
}

bool valid_ring_bytes(std::uint64_t bytes) {
  return std::has_single_bit(bytes) && bytes >= kRingBytesMin && bytes <= kRingBytesMax;
}

Status check_header(const ControlHeader& header, std::uint64_t file_bytes, std::string_view name) {
  if (std::memcmp(header.magic, kControlMagic, sizeof(header.magic)) != 0)
    return Status(Code::corrupt, fmt::format("shared memory {} is not a control page", name));
  if (header.version != kControlVersion || header.layout_hash != layout_hash())
    return Status(
        Code::unsupported,
        fmt::format("shared memory {} was made by another version of Understudy (layout "
                    "{}/{:08x}, expected {}/{:08x}); end that migration with the version "
                    "that began it",
                    name, header.version, header.layout_hash, kControlVersion, layout_hash()));
  const bool holds_together =
      header.slots_offset == kSlotsOffset && header.ring_offset == kRingOffset &&
      header.slot_count == kSlotCount && valid_ring_bytes(header.ring_bytes) &&
      header.segment_bytes == kRingOffset + header.ring_bytes && header.segment_bytes <= file_bytes;
  if (!holds_together)
    return Status(Code::corrupt,
                  fmt::format("shared memory {} contradicts itself in its sizes", name));
  return {};
}

class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept : base_(other.base_), bytes_(other.bytes_) {
    other.base_ = nullptr;
  }
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping() {
    if (base_) ::munmap(base_, bytes_);
  }
  static Mapping of(int fd, std::size_t bytes) {
    Mapping out;
    void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base != MAP_FAILED) {
      out.base_ = static_cast<std::byte*>(base);
      out.bytes_ = bytes;
    }
    return out;
  }
  [[nodiscard]] std::byte* base() const { return base_; }
  [[nodiscard]] ControlHeader& header() const { return *reinterpret_cast<ControlHeader*>(base_); }

 private:
  std::byte* base_ = nullptr;
  std::size_t bytes_ = 0;
};

std::uint64_t file_bytes(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

bool is_ready(int fd) {
  if (file_bytes(fd) < sizeof(ControlHeader)) return false;
  const Mapping page = Mapping::of(fd, sizeof(ControlHeader));
  return page.base() && page.header().ready.load(std::memory_order_acquire) == 1;
}

/// Shared memory is created in a directory anyone may write to: a segment that a stranger put there
/// would receive what the application commits.
Status check_owner(int fd, const std::string& home, const std::string& migration,
                   std::string_view name) {
  struct stat file {};
  struct stat folder {};
  if (::fstat(fd, &file) != 0) return Status(Code::io, system_error("stat", name));
  bool trusted =
      file.st_uid == 0 || file.st_uid == ::geteuid() || owns(home + "/" + migration, file.st_uid);
  if (::stat(home.c_str(), &folder) == 0)
    trusted = trusted || file.st_uid == folder.st_uid || file.st_gid == folder.st_gid;
  if (trusted && S_ISREG(file.st_mode) && (file.st_mode & S_IWOTH) == 0) return {};
  return Status(Code::invalid,
                fmt::format("shared memory {} belongs to user {} and is not trusted; remove it or "
                            "correct its owner and mode",
                            name, file.st_uid));
}

/// Writing to a page that a full /dev/shm cannot supply would kill the application with SIGBUS.
Status reserve_pages(int fd, const std::string& name, std::uint64_t bytes) {
  int error = EINTR;
  for (int attempt = 0; error == EINTR && attempt < kInterruptsMax; ++attempt)
    error = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  if (error == 0) return {};
  return Status(Code::io, fmt::format("reserving {} bytes for shared memory {} failed: {}; enlarge "
                                      "/dev/shm or choose a smaller ring",
                                      bytes, name, std::strerror(error)));
}

/// Under kLockCreate. Pages of header and slots are reserved now, those of the ring by
/// SegmentMap::reserve_ring when there is something to record.
Status initialise(int fd, const Access& access, const std::string& name,
                  const Beginning& beginning) {
  const std::uint64_t bytes = kRingOffset + beginning.ring_bytes;
  // Where it has no length yet others of the group wait, see open_entry. Only a member of the group
  // may give the file to it; it stays private otherwise.
  if (!give_access(fd, access, true).ok()) ::fchmod(fd, kSegmentMode);
  const std::uint64_t now = beginning.recording ? bytes : kRingOffset;
  if (const Status reserved = reserve_pages(fd, name, now); !reserved.ok()) {
    (void)!::ftruncate(fd, 0);
    return reserved;
  }
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0)
    return Status(Code::io, system_error("sizing", name));
  const Mapping page = Mapping::of(fd, sizeof(ControlHeader));
  if (!page.base()) return Status(Code::io, system_error("mapping", name));
  fill_header(page.header(), beginning);
  return {};
}

/// Whoever holds kLockCreate while the header is not ready is the creator. There is nothing to
/// sleep on (the file may be empty and a lock wait has no deadline), so a live creator is polled.
Status make_ready(int fd, const Access& access, const std::string& name, bool create,
                  const Beginning& beginning) {
  const std::uint64_t deadline = monotonic_ns() + kCreatorWaitNs;
  while (!is_ready(fd)) {
    if (!create && probe_byte(fd, kLockCreate) == LockResult::taken && !is_ready(fd))
      return Status(Code::not_found, fmt::format("shared memory {} was never finished", name));
    const LockResult lock = create ? take_byte(fd, kLockCreate) : LockResult::busy;
    if (lock == LockResult::failed) return Status(Code::io, system_error("locking", name));
    if (lock == LockResult::taken) {
      const Status made = is_ready(fd) ? Status() : initialise(fd, access, name, beginning);
      give_byte(fd, kLockCreate);
      return made;
    }
    if (monotonic_ns() > deadline)
      return Status(Code::timeout,
                    fmt::format("the process that creates shared memory {} does not finish; look "
                                "for a stopped process",
                                name));
    const timespec pause = {0, static_cast<long>(kPollNs)};
    ::nanosleep(&pause, nullptr);
  }
  return {};
}

/// A creator gives the file to the group before it gives it a length.
bool has_length(const std::string& name) {
  struct stat info {};
  return ::stat(("/dev/shm" + name).c_str(), &info) == 0 && info.st_size > 0;
}

Status open_entry(Entry& entry, const std::string& name, bool create) {
  const int flags = create ? O_RDWR | O_CREAT : O_RDWR;
  int fd = open_shared_memory(name, flags);
  const std::uint64_t deadline = monotonic_ns() + kCreatorWaitNs;
  while (fd < 0 && errno == EACCES) {
    const bool whole = has_length(name);
    fd = open_shared_memory(name, flags);
    if (whole || fd >= 0 || errno != EACCES || monotonic_ns() > deadline) break;
    const timespec pause = {0, static_cast<long>(kPollNs)};
    ::nanosleep(&pause, nullptr);
    errno = EACCES;
  }
  if (fd < 0) {
    if (errno == ENOENT)
      return Status(Code::not_found, fmt::format("there is no shared memory {}", name));
    return Status(Code::io, system_error("opening", name));
  }
  struct stat info {};
  if (::fstat(fd, &info) != 0) return Status(Code::io, system_error("stat", name));
  entry = Entry{{}, fd, id_of(info)};
  return {};
}

}  // namespace

// --- names ---

std::string understudy_home() {
  const char* set = std::getenv("UNDERSTUDY_HOME");
  std::string home = set && *set ? set : "/var/lib/understudy";
  while (home.size() > 1 && home.back() == '/') home.pop_back();
  return home;
}

bool valid_migration_name(std::string_view name) {
  if (name.empty() || name.size() > kMigrationNameMax || name.front() == '.') return false;
  for (const char c : name) {
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!letter && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

std::string segment_name(std::string_view home, std::string_view migration) {
  while (home.size() > 1 && home.back() == '/') home.remove_suffix(1);
  return fmt::format("/understudy-{:016x}-{}", XXH3_64bits(home.data(), home.size()), migration);
}

// --- opening ---

struct SegmentMap::Impl {
  std::string home;
  std::string migration;
  std::string name;
  FileId file;
  int fd = -1;
  Mapping mapping;
  std::uint64_t ring_bytes = 0;
  std::set<std::uint64_t> held;  // by process held_pid: locks are not inherited by fork
  pid_t held_pid = 0;

  /// Registry locked. The descriptor to lock through, or -1.
  int lock_fd() {
    if (held_pid != ::getpid()) held.clear();
    held_pid = ::getpid();
    if (!refers_to(fd, file)) fd = reopen();
    return fd;
  }

  /// The program has closed the descriptor. The name may stand for a newer segment by now, which
  /// has to be found out without opening it.
  int reopen() {
    Entry& entry = registry().entries[name];
    if (entry.file == file && refers_to(entry.fd, file)) return entry.fd;
    if (named_file(name) != file) return -1;
    const int opened = open_shared_memory(name, O_RDWR);
    if (!refers_to(opened, file)) return -1;
    if (entry.file == file) entry.fd = opened;
    for (const std::uint64_t byte : held) take_byte(opened, byte);
    return opened;
  }
};

SegmentMap::SegmentMap() : impl_(std::make_unique<Impl>()) {}

SegmentMap::~SegmentMap() {
  const std::lock_guard guard(registry().mutex);
  const int fd = impl_->lock_fd();
  if (fd < 0) return;
  for (const std::uint64_t byte : impl_->held) give_byte(fd, byte);
  if (named_file(impl_->name) == impl_->file) return;
  Entry& entry = registry().entries[impl_->name];
  const bool known = entry.file == impl_->file;
  if (known && !entry.map.expired()) return;  // opened once more meanwhile
  ::close(fd);
  if (known) entry = {};
}

Result<std::shared_ptr<SegmentMap>> SegmentMap::attach(const std::string& home,
                                                       const std::string& migration, bool create,
                                                       std::uint64_t ring_bytes) {
  if (!valid_migration_name(migration))
    return Status(Code::invalid,
                  "a migration's name is 1 to 64 of A-Z a-z 0-9 . _ - and does not "
                  "begin with a dot");
  if (!valid_ring_bytes(ring_bytes))
    return Status(Code::invalid, fmt::format("ring size {} is not a power of two from {} to {}",
                                             ring_bytes, kRingBytesMin, kRingBytesMax));
  const std::string name = segment_name(home, migration);
  // Declared before the guard: the destructor of a mapping locks the registry.
  std::shared_ptr<SegmentMap> live;
  std::shared_ptr<SegmentMap> map;
  const std::lock_guard guard(registry().mutex);
  close_removed();
  Entry& entry = registry().entries[name];
  const auto present = named_file(name);
  if (!present && !create)
    return Status(Code::not_found, fmt::format("there is no shared memory {}", name));
  if (!present && may_not_open(home, migration))
    return Status(Code::io,
                  fmt::format("this user may not make the shared memory {}: the folder of "
                              "its migration is closed to it",
                              name));
  const bool known = present && *present == entry.file;
  if (known && (live = entry.map.lock())) return live;
  if (!known || !refers_to(entry.fd, entry.file)) {
    if (Status opened = open_entry(entry, name, create); !opened.ok()) return opened;
  }
  if (Status trusted = check_owner(entry.fd, home, migration, name); !trusted.ok()) return trusted;
  // Read before it is looked whether somebody has made it: what follows is changed behind that.
  Beginning beginning{ring_bytes, side_in_use(home, migration), recording_before(home, migration)};
  if (beginning.recording) beginning.ring_bytes = beginning.recording->ring_bytes;
  if (Status ready =
          make_ready(entry.fd, access_of_migration(home, migration), name, create, beginning);
      !ready.ok())
    return ready;
  // Where it fails the next `start` does it.
  if (beginning.recording) (void)resume_durable_recording(home, migration);

  map.reset(new SegmentMap);
  Impl& impl = *map->impl_;
  impl.home = home;
  impl.migration = migration;
  impl.name = name;
  impl.file = entry.file;
  impl.fd = entry.fd;
  const std::uint64_t bytes = file_bytes(entry.fd);
  {
    const Mapping page = Mapping::of(entry.fd, sizeof(ControlHeader));
    if (!page.base()) return Status(Code::io, system_error("mapping", name));
    if (Status sound = check_header(page.header(), bytes, name); !sound.ok()) return sound;
    impl.ring_bytes = page.header().ring_bytes;
  }
  if (!valid_ring_bytes(impl.ring_bytes) || kRingOffset + impl.ring_bytes > bytes)
    return Status(Code::corrupt, fmt::format("shared memory {} changed while being opened", name));
  impl.mapping = Mapping::of(entry.fd, kRingOffset + impl.ring_bytes);
  if (!impl.mapping.base()) return Status(Code::io, system_error("mapping", name));
  entry.map = map;
  return map;
}

Result<std::shared_ptr<SegmentMap>> SegmentMap::open_or_create(const std::string& home,
                                                               const std::string& migration,
                                                               std::uint64_t ring_bytes) {
  return attach(home, migration, true, ring_bytes);
}

Result<std::shared_ptr<SegmentMap>> SegmentMap::open(const std::string& home,
                                                     const std::string& migration) {
  return attach(home, migration, false, kRingBytesDefault);
}

Status SegmentMap::remove(const std::string& home, const std::string& migration) {
  const std::string name = segment_name(home, migration);
  if (::shm_unlink(name.c_str()) == 0 || errno == ENOENT) return {};
  return Status(Code::io, system_error("removal", name));
}

ControlHeader& SegmentMap::header() {
  return impl_->mapping.header();
}

Slot& SegmentMap::slot(std::uint32_t index) {
  assert(index < kSlotCount);
  return reinterpret_cast<Slot*>(impl_->mapping.base() + kSlotsOffset)[index];
}

std::byte* SegmentMap::ring_data() {
  return impl_->mapping.base() + kRingOffset;
}

std::uint64_t SegmentMap::ring_bytes() const {
  return impl_->ring_bytes;
}

Status SegmentMap::reserve_ring() {
  const std::lock_guard guard(registry().mutex);
  const int fd = impl_->lock_fd();
  if (fd < 0) return Status(Code::io, fmt::format("the file of {} is gone", impl_->name));
  return reserve_pages(fd, impl_->name, kRingOffset + impl_->ring_bytes);
}

// --- locks ---

Status SegmentMap::lock(std::uint64_t byte) {
  const std::lock_guard guard(registry().mutex);
  const int fd = impl_->lock_fd();
  if (fd < 0) return Status(Code::io, fmt::format("the file of {} is gone", impl_->name));
  if (impl_->held.contains(byte))
    return Status(Code::full,
                  fmt::format("this process holds the lock on {} already", impl_->name));
  const LockResult result = take_byte(fd, byte);
  if (result == LockResult::failed) return Status(Code::io, system_error("locking", impl_->name));
  if (result == LockResult::busy)
    return Status(Code::full, fmt::format("another process holds the lock on {}", impl_->name));
  impl_->held.insert(byte);
  return {};
}

void SegmentMap::unlock(std::uint64_t byte) {
  const std::lock_guard guard(registry().mutex);
  const int fd = impl_->lock_fd();
  if (impl_->held.erase(byte) > 0 && fd >= 0) give_byte(fd, byte);
}

bool SegmentMap::locked_elsewhere(std::uint64_t byte) {
  const std::lock_guard guard(registry().mutex);
  const int fd = impl_->lock_fd();
  return fd >= 0 && probe_byte(fd, byte) == LockResult::busy;
}

// --- sessions ---

namespace {

void clear_slot(Slot& slot) {
  slot.in_flight.store(0);
  slot.writing.store(0);
  slot.claim_intent.store(0);
  slot.in_flight_txn.store(0);
  slot.sealed.store(0);
  slot.route.store(0);
  slot.pinned.store(0);
  slot.writing_since_ns.store(0);
  slot.last_call_ns.store(0);
  slot.in_call.store(0);
}

bool is_self(const Slot& slot) {
  const ProcessIdentity& me = this_process();
  return slot.pid.load() == static_cast<std::uint32_t>(me.pid) &&
         slot.start_time.load() == me.start_time && slot.pid_namespace.load() == me.pid_namespace;
}

}  // namespace

Result<std::uint32_t> SegmentMap::register_session() {
  const std::lock_guard guard(registry().mutex);
  const int fd = impl_->lock_fd();
  if (fd < 0) return Status(Code::io, fmt::format("the file of {} is gone", impl_->name));
  for (std::uint32_t i = 0; i < kSlotCount; ++i) {
    Slot& candidate = slot(i);
    std::uint32_t expected = static_cast<std::uint32_t>(SlotState::free);
    if (candidate.state.load() != expected) continue;
    // The byte first, so that a claimed slot without its lock is always a dead one.
    const LockResult result = take_byte(fd, kLockSlot0 + i);
    if (result == LockResult::failed) return Status(Code::io, system_error("locking", impl_->name));
    if (result == LockResult::busy) continue;
    // Lost to another copy of this code in this process: the lock is that copy's, so it stays.
    if (!candidate.state.compare_exchange_strong(expected,
                                                 static_cast<uint32_t>(SlotState::claimed)))
      continue;
    const ProcessIdentity& me = this_process();
    candidate.pid.store(static_cast<std::uint32_t>(me.pid));
    candidate.start_time.store(me.start_time);
    candidate.pid_namespace.store(me.pid_namespace);
    candidate.session_id.store(header().next_session_id.fetch_add(1) + 1);
    clear_slot(candidate);
    candidate.state.store(static_cast<std::uint32_t>(SlotState::active));
    impl_->held.insert(kLockSlot0 + i);
    return i;
  }
  return Status(Code::full, fmt::format("{} has its {} sessions", impl_->name, kSlotCount));
}

void SegmentMap::unregister_session(std::uint32_t index) {
  if (index >= kSlotCount || !owned_by_this_process(index)) return;
  const std::lock_guard guard(registry().mutex);
  const int fd = impl_->lock_fd();
  Slot& mine = slot(index);
  clear_slot(mine);
  mine.state.store(static_cast<std::uint32_t>(SlotState::free));
  impl_->held.erase(kLockSlot0 + index);
  if (fd < 0) return;
  give_byte(fd, kLockSlot0 + index);
  // The other copy of this code may have taken the slot before its byte was given back.
  if (mine.state.load() != static_cast<std::uint32_t>(SlotState::free) && is_self(mine))
    take_byte(fd, kLockSlot0 + index);
}

bool SegmentMap::owned_by_this_process(std::uint32_t index) {
  if (index >= kSlotCount) return false;
  Slot& asked = slot(index);
  return asked.state.load() == static_cast<std::uint32_t>(SlotState::active) && is_self(asked);
}

namespace {

/// fd: to probe through, or -1 when the file is gone.
Liveness slot_liveness(const Slot& slot, std::uint32_t index, int fd) {
  if (slot.state.load() == static_cast<std::uint32_t>(SlotState::free)) return Liveness::dead;
  if (is_self(slot)) return Liveness::alive;
  const auto pid = static_cast<pid_t>(slot.pid.load());
  const std::uint64_t start_time = slot.start_time.load();
  const std::uint64_t pid_namespace = slot.pid_namespace.load();
  const LockResult probe = fd < 0 ? LockResult::failed : probe_byte(fd, kLockSlot0 + index);
  if (probe == LockResult::busy) return Liveness::alive;
  if (pid_namespace != 0 && pid_namespace == this_process().pid_namespace)
    return process_exists(pid, start_time) ? Liveness::alive : Liveness::dead;
  return probe == LockResult::failed ? Liveness::alive : Liveness::dead;
}

}  // namespace

Liveness SegmentMap::liveness(std::uint32_t index) {
  if (index >= kSlotCount) return Liveness::dead;
  if (is_self(slot(index))) return slot_liveness(slot(index), index, -1);
  const std::lock_guard guard(registry().mutex);
  return slot_liveness(slot(index), index, impl_->lock_fd());
}

bool SegmentMap::release_dead(std::uint32_t index) {
  if (index >= kSlotCount) return false;
  const std::lock_guard guard(registry().mutex);
  const int fd = impl_->lock_fd();
  Slot& gone = slot(index);
  if (is_self(gone) || fd < 0 || take_byte(fd, kLockSlot0 + index) != LockResult::taken)
    return false;
  const bool dead = gone.state.load() != static_cast<std::uint32_t>(SlotState::free) &&
                    slot_liveness(gone, index, fd) == Liveness::dead;
  if (dead) {
    clear_slot(gone);
    gone.state.store(static_cast<std::uint32_t>(SlotState::free));
  }
  give_byte(fd, kLockSlot0 + index);
  return dead;
}

// --- the end of recording ---

namespace {

void bump(std::atomic<std::uint32_t>& word) {
  word.fetch_add(1);
  futex_wake_all(word);
}

/// The side in use stays in use. False while a decision about it is being written down.
bool set_invalid(std::atomic<std::uint32_t>& word) {
  std::uint32_t seen = word.load();
  for (;;) {
    const Mode mode = mode_of(seen);
    if (being_decided(mode)) return false;
    if (recording_ended(mode)) return true;
    const Mode next = shadow_in_use(mode) ? Mode::one_way : Mode::invalid;
    if (word.compare_exchange_weak(seen, mode_word(next, epoch_of(seen) + 1))) return true;
  }
}

}  // namespace

void SegmentMap::invalidate(std::string_view why) {
  ControlHeader& page = header();
  std::string text(why);
  // On disk before the first write that is not recorded.
  if (!recording_ended(mode_of(page.mode_word.load()))) {
    const Status ended = end_durable_recording(impl_->home, impl_->migration);
    if (!ended.ok()) text += "; " + ended.message();
  }
  std::uint32_t empty = 0;
  if (page.reason_state.compare_exchange_strong(empty, 1)) {
    const std::size_t length = std::min(text.size(), kReasonBytes - 1);
    std::memcpy(page.reason, text.data(), length);
    page.reason[length] = '\0';
    page.reason_state.store(2, std::memory_order_release);
  }
  if (!set_invalid(page.mode_word)) return;
  futex_wake_all(page.mode_word);
  std::uint32_t gate = page.commit_gate.load();
  if (gate % 2 == 1) page.commit_gate.compare_exchange_strong(gate, gate + 1);
  futex_wake_all(page.commit_gate);
  bump(page.gate_clear);
  bump(page.space_wake);
  bump(page.durable_wake);
}

std::string SegmentMap::reason() {
  ControlHeader& page = header();
  if (page.reason_state.load(std::memory_order_acquire) != 2) return {};
  return std::string(page.reason, ::strnlen(page.reason, kReasonBytes));
}

// --- time and waiting ---

std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::int64_t wall_clock_us() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

bool futex_wait_until(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                      std::uint64_t deadline_ns) {
  if (word.load() != expected) return true;
  if (deadline_ns == 0) return false;
  const timespec until = {static_cast<time_t>(deadline_ns / 1'000'000'000),
                          static_cast<long>(deadline_ns % 1'000'000'000)};
  // WAIT_BITSET takes an absolute CLOCK_MONOTONIC time. Not FUTEX_PRIVATE: processes share the
  // word.
  const long result =
      ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT_BITSET, expected,
                &until, nullptr, FUTEX_BITSET_MATCH_ANY);
  return result == 0 || errno != ETIMEDOUT;
}

void futex_wake_all(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE, INT32_MAX, nullptr,
            nullptr, 0);
}

}  // namespace understudy
