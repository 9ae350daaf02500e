#include "tests/fault/crossings.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#ifndef __x86_64__
#error "the trap flag and the registers are those of x86-64"
#endif

namespace crossings {
namespace {

constexpr greg_t kTrapFlag = 0x100;

std::byte* shared = nullptr;
std::size_t shared_bytes = 0;
Moment moment;
bool inside = false;  // what the moment itself does is none

void cross(const char* kind) {
  if (shared == nullptr || inside) return;
  inside = true;
  moment(kind);
  inside = false;
}

void on_write(int, siginfo_t* info, void* context) {
  const auto* at = static_cast<std::byte*>(info->si_addr);
  if (at < shared || at >= shared + shared_bytes) {
    ::signal(SIGSEGV, SIG_DFL);
    return;
  }
  cross("write");
  ::mprotect(shared, shared_bytes, PROT_READ | PROT_WRITE);
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] |= kTrapFlag;
}

void on_step(int, siginfo_t*, void* context) {
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
  if (shared != nullptr) ::mprotect(shared, shared_bytes, PROT_READ);
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

Mapping find_mapping(const std::string& name_end) {
  std::ifstream maps("/proc/self/maps");
  Mapping found;
  for (std::string line; std::getline(maps, line);) {
    if (!line.ends_with(name_end) || line.find(" rw-s ") == std::string::npos) continue;
    unsigned long long from = 0;
    unsigned long long to = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx", &from, &to) != 2) continue;
    if (found.address == nullptr) found.address = reinterpret_cast<std::byte*>(from);
    found.bytes = to - reinterpret_cast<std::uintptr_t>(found.address);
  }
  return found;
}

void begin(void* memory, std::size_t bytes, Moment then) {
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = on_write;
  ::sigaction(SIGSEGV, &action, nullptr);
  action.sa_sigaction = on_step;
  ::sigaction(SIGTRAP, &action, nullptr);
  moment = std::move(then);
  shared_bytes = bytes;
  shared = static_cast<std::byte*>(memory);
  ::mprotect(shared, shared_bytes, PROT_READ);
}

void end() {
  ::mprotect(shared, shared_bytes, PROT_READ | PROT_WRITE);
  shared = nullptr;
}

}  // namespace crossings

using crossings::cross;
using crossings::next;

// Exported by the program, so found before those of the C library.
#pragma GCC visibility push(default)
extern "C" {

ssize_t send(int socket, const void* bytes, size_t count, int flags) {
  static const auto real = next<decltype(&::send)>("send");
  cross("send");
  const ssize_t sent = real(socket, bytes, count, flags);
  cross("sent");
  return sent;
}

ssize_t recv(int socket, void* bytes, size_t count, int flags) {
  static const auto real = next<decltype(&::recv)>("recv");
  const ssize_t got = real(socket, bytes, count, flags);
  if (got > 0) cross("answer");
  return got;
}

ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t offset) {
  static const auto real = next<decltype(&::pwrite64)>("pwrite64");
  cross("send");
  const ssize_t written = real(file, bytes, count, offset);
  cross("sent");
  return written;
}

int fsync(int file) {
  static const auto real = next<decltype(&::fsync)>("fsync");
  cross("send");
  const int result = real(file);
  cross("sent");
  return result;
}

int fdatasync(int file) {
  static const auto real = next<decltype(&::fdatasync)>("fdatasync");
  cross("send");
  const int result = real(file);
  cross("sent");
  return result;
}
}
#pragma GCC visibility pop
