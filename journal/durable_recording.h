// Recording that outlives the host. With Durability=power a record is on disk before its COMMIT is
// sent, so that the journal is whole after a restart, and shared memory that is made anew then goes
// on where the one before it was lost, whoever makes it: a program that starts before the tool does
// must not write unrecorded. The file `recording` in the migration's folder says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "journal/status.h"

namespace understudy {

/// Each boot has session numbers of its own: a program may join before anybody has looked at those
/// that are in the journal. Of the 32 bits that a transaction's number has for them.
inline constexpr unsigned kSessionsOfBootBits = 26;
inline constexpr std::uint32_t kBootsMax = (1u << (32 - kSessionsOfBootBits)) - 1;

struct DurableRecording {
  std::uint64_t ring_bytes = 0;  // as the settings say; of a valid size
  std::uint32_t boots = 0;       // since recording began, at most kBootsMax
};

/// Recording begins, or goes on in this boot. Its owner only; on disk when it returns. Code::io.
Status begin_durable_recording(const std::string& home, const std::string& migration,
                               std::uint64_t ring_bytes);
/// Recording has ended, and nobody goes on with it: on disk when it returns. For whoever takes
/// part, since the first write that is not recorded follows; one write to a file and its fdatasync.
/// Nothing to do is success. Code::io.
Status end_durable_recording(const std::string& home, const std::string& migration);
/// What was recorded in the boot before this one, and goes on. Nothing where it has ended, where
/// shared memory was lost without a restart (programs may still write to the old one), where it is
/// not believed (access.h), or after kBootsMax.
std::optional<DurableRecording> recording_before(const std::string& home,
                                                 const std::string& migration);
/// It goes on in this boot. The same again does nothing. Code::io.
Status resume_durable_recording(const std::string& home, const std::string& migration);

}  // namespace understudy
