// Word of a program that writes past a migration because it cannot join its shared memory: no room
// to map it, a control page of another version. Nobody could count what it writes, so it says so
// beside the shared memory, and recording ends.
#pragma once

#include <optional>
#include <string>

namespace understudy {

/// Programs are told apart by their number, modulo this.
inline constexpr unsigned kUnrecordedWordsMax = 64;
inline constexpr std::size_t kUnrecordedReasonMax = 200;  // bytes

/// Leaves it, once for each process; needs neither a descriptor nor memory to map. A restart of the
/// host forgets it, so that recording does not outlive one either (durable_recording.h), if a
/// descriptor is left. Failing it does
/// nothing: there is nobody left to tell.
void leave_unrecorded_word(const std::string& home, const std::string& migration,
                           const std::string& reason);

enum class Unrecorded { alive, any };

/// One of the words that are there ("process 17: why"), of a program that lives, or of any.
/// Believed only of root, the owner of the migration's folder, and members of its group where it is
/// shared.
std::optional<std::string> find_unrecorded_word(const std::string& home,
                                                const std::string& migration, Unrecorded which);
/// Removes those of programs that have ended; of those in another pid namespace that is not known,
/// and who knows it removes the link.
void forget_ended_words(const std::string& home, const std::string& migration);

}  // namespace understudy
