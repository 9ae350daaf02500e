// What a test program leaves behind when it crashes: the processes it had started for a migration,
// their shared memory, its folders.
#pragma once

#include <sys/types.h>

#include <string>

namespace understudy {

/// Beginning of the paths of the servers' folders of a test program. In memory where there is
/// plenty of it, since hundreds of databases are made and removed and nothing is synced anyway;
/// otherwise among the temporary files.
std::string server_folder(pid_t program);

/// While it lives, a process of its own waits for the end of this one, however that comes, and then
/// ends every process with UNDERSTUDY_HOME=`home` in its environment, removes the segments of the
/// data sources in `configuration`/odbc.ini, both folders, and those of its servers. In order, the
/// destructor ends it and nothing is touched. Threads of the process are not carried along: make it
/// before there are any.
class CrashCleaner {
 public:
  CrashCleaner(const std::string& home, const std::string& configuration);
  ~CrashCleaner();
  CrashCleaner(const CrashCleaner&) = delete;
  CrashCleaner& operator=(const CrashCleaner&) = delete;

 private:
  const pid_t owner_;  // a forked child that ends in order says nothing of it
  pid_t cleaner_ = -1;
  int alive_ = -1;  // closed with this process
};

}  // namespace understudy
