// The moments at which something that a program does becomes visible to others: each write into the
// shared memory of its migration, each message to a server and each answer, each write and sync of
// a file. The program dies, or stops, exactly at one of them, without any hook in the driver: the
// memory is write-protected and each write is let through by a single step of the processor
// (x86-64), the rest are functions of the C library, which the program has its own of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace crossings {

/// What is to happen at a moment; kinds are "write" (before it, into the shared memory), "send" and
/// "sent" (before and after it, to a server or a file), "answer" (it is there, and not yet looked
/// at).
using Moment = std::function<void(const char* kind)>;

/// From now on. One thread; `shared` is the memory, `bytes` long. `moment` may read all of it.
void begin(void* shared, std::size_t bytes, Moment moment);
void end();

/// The mapping of the shared memory whose name ends so, as the kernel lists it; {nullptr, 0}
/// when there is none.
struct Mapping {
  std::byte* address = nullptr;
  std::size_t bytes = 0;
};
Mapping find_mapping(const std::string& name_end);

}  // namespace crossings
