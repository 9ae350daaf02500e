// A connection of the application and the real connection behind it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "driver/handle/environment.h"
#include "driver/handle/handle.h"

namespace understudy {

class Statement;
class Descriptor;
namespace capture {
class Session;
}

/// Our own keys, from the connection string, the DSN's section or the odbcinst.ini section, first
/// found wins. Nothing else of the connection string is looked at, and it is forwarded unchanged.
struct Settings {
  std::string dsn;
  std::string real_driver;  // RealDriver
  std::string migration;    // Migration; default: the DSN's name; empty: never recorded
  std::string order;        // Order: exact (default)
  std::string on_full;      // OnFull: wait (default) or invalidate
  std::string durability;   // Durability: process (default) or power
};

class Connection : public Handle {
 public:
  explicit Connection(Environment& owner);
  ~Connection();

  Environment& environment;
  Settings settings;
  const real::Library* library = nullptr;  // null until connecting
  SQLHDBC real = SQL_NULL_HDBC;            // null until connecting
  bool connected = false;
  bool browsing = false;              // inside SQLBrowseConnect: the real handle is half connected
  bool browsed = false;               // the last attempt to connect was SQLBrowseConnect
  bool wide = false;                  // connected through a W entry
  std::vector<Attribute> attributes;  // all set so far, the last value of each, in first-set order
  /// How the application connected, kept to open the shadow with the same credentials: the text it
  /// gave, in UTF-8. Wiped on disconnect (explicit_bzero).
  std::string connect_text;  // SQLDriverConnect's string; or built from SQLConnect's three
  std::atomic<bool> autocommit{true};  // what the application believes

  /// Held around every modifying execution and transaction end, never by SQLCancel or reads.
  std::mutex write_mutex;
  std::mutex children_mutex;
  std::vector<Statement*> statements;
  std::vector<Descriptor*> descriptors;  // explicit ones

  std::unique_ptr<capture::Session> session;  // null when the connection is never recorded
};

}  // namespace understudy
