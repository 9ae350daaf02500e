#include "replayer/migration/control_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "replayer/migration/failure.h"

namespace understudy {
namespace {

using nlohmann::json;

constexpr int kAcceptPollMs = 100;  // between looks at `stop`
constexpr int kRequestSeconds = 5;  // for a client to send its line

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

/// A socket's address is at most 108 bytes and a home's path may be longer, so the folder is named
/// by its descriptor.
struct Address {
  explicit Address(const Home& home)
      : folder(::open(home.folder().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    name.sun_family = AF_UNIX;
    *fmt::format_to_n(name.sun_path, sizeof(name.sun_path) - 1, "/proc/self/fd/{}/control.sock",
                      folder.get())
         .out = '\0';
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
  Descriptor folder;
  sockaddr_un name{};
};

Descriptor new_socket() {
  return Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

bool send_line(int fd, const json& value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t now = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) return false;
    sent += static_cast<std::size_t>(now);
  }
  return true;
}

/// Lines of a stream; nothing at its end, after an error, or when a line is too long.
class LineReader {
 public:
  LineReader(int fd, std::size_t bytes_max) : fd_(fd), bytes_max_(bytes_max) {}
  std::optional<std::string> next() {
    for (;;) {
      if (const auto end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      if (buffer_.size() > bytes_max_) return std::nullopt;
      char bytes[4096];
      const ssize_t got = ::recv(fd_, bytes, sizeof(bytes), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return std::nullopt;
      buffer_.append(bytes, static_cast<std::size_t>(got));
    }
  }

 private:
  int fd_;
  std::size_t bytes_max_;
  std::string buffer_;
};

struct Client {
  explicit Client(int fd) : socket(fd) {}
  Descriptor socket;
  std::atomic<bool> gone{false};
  std::atomic<bool> ended{false};
  std::thread thread;
};

void serve_one(const Client& client, ControlService& service) {
  const int fd = client.socket.get();
  const timeval patience{kRequestSeconds, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  const auto line = LineReader(fd, kRequestBytesMax).next();
  const json request = line ? json::parse(*line, nullptr, false) : json();
  Answer answer{kExitUsage, "the control socket takes one JSON line with `command`"};
  if (request.is_object() && request.contains("command") && request["command"].is_string()) {
    const Say say = [&](const std::string& text) { (void)send_line(fd, {{"line", text}}); };
    answer = service.handle(request, say, client.gone);
  }
  (void)send_line(fd, {{"done", true}, {"exit", answer.exit_code}, {"message", answer.message}});
}

/// Waits for a new client, or for one that hangs up, at most kAcceptPollMs. Whether there is a new
/// one.
bool wait_for_clients(const Descriptor& listener, std::list<Client>& clients,
                      ControlService& service) {
  const bool full = clients.size() >= kClientsMax;  // the next one waits to be accepted
  std::vector<pollfd> waiting{{listener.get(), static_cast<short>(full ? 0 : POLLIN), 0}};
  std::vector<Client*> present;
  for (Client& client : clients) {
    if (client.gone) continue;  // it would be told of each time
    waiting.push_back({client.socket.get(), POLLRDHUP, 0});
    present.push_back(&client);
  }
  if (::poll(waiting.data(), waiting.size(), kAcceptPollMs) <= 0) return false;
  for (std::size_t i = 0; i < present.size(); ++i) {
    if (waiting[i + 1].revents == 0) continue;
    present[i]->gone = true;
    service.client_gone();
  }
  return waiting[0].revents != 0;
}

std::string failed(const char* what, const Home& home) {
  return fmt::format("cannot {} {}: {}; look at the folder's permissions", what, home.socket(),
                     std::strerror(errno));
}

bool connect_to(const Descriptor& socket, const Home& home) {
  const Address address(home);
  return ::connect(socket.get(), address.get(), sizeof(address.name)) == 0;
}

}  // namespace

void serve_control(const Home& home, ControlService& service) {
  const Address address(home);
  const Descriptor listener = new_socket();
  ::unlink(home.socket().c_str());  // of a process before; kLockReplayer says that it is gone
  if (::bind(listener.get(), address.get(), sizeof(address.name)) != 0)
    throw Failure(kExitFailed, failed("make the socket", home));
  if (::chmod(home.socket().c_str(), 0600) != 0 || ::listen(listener.get(), kClientsMax) != 0)
    throw Failure(kExitFailed, failed("listen on", home));
  std::list<Client> clients;
  const auto reap = [&] {
    clients.remove_if([](Client& client) {
      if (client.ended) client.thread.join();
      return client.ended.load();
    });
  };
  while (!service.stopped()) {
    const bool ready = wait_for_clients(listener, clients, service);
    reap();
    if (!ready) continue;
    const int fd = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    Client& client = clients.emplace_back(fd);
    client.thread = std::thread([&client, &service] {
      serve_one(client, service);
      client.ended = true;
    });
  }
  for (Client& client : clients) client.gone = true;
  service.client_gone();
  for (Client& client : clients) client.thread.join();
  ::unlink(home.socket().c_str());
}

bool replayer_listens(const Home& home) {
  return connect_to(new_socket(), home);
}

Answer ask_replayer(const Home& home, const nlohmann::json& request, const Say& say) {
  const Descriptor socket = new_socket();
  if (!connect_to(socket, home))
    throw Failure(kExitFailed, fmt::format("the replayer of migration {} does not answer; run "
                                           "`understudy start {}`",
                                           home.name, home.name));
  (void)send_line(socket.get(), request);
  LineReader lines(socket.get(), kAnswerLineBytesMax);
  while (const auto line = lines.next()) {
    const json answer = json::parse(*line, nullptr, false);
    if (!answer.is_object()) break;
    if (answer.contains("line")) say(answer["line"].get<std::string>());
    if (answer.value("done", false))
      return {answer.value("exit", kExitFailed), answer.value("message", std::string())};
  }
  throw Failure(kExitFailed, fmt::format("the replayer ended before its answer; see {} and "
                                         "`understudy status {}`",
                                         home.replayer_log(), home.name));
}

}  // namespace understudy
