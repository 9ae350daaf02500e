// The disk under the journal fills: the application goes on, and either room is made in time and
// nothing is lost, or recording ends with the reason.
#include <sys/mount.h>

#include <cstring>

#include "tests/support/live_migration.h"

namespace understudy {
namespace {

constexpr int kTexts = 70;  // of a MiB: more than a segment of the journal
constexpr int kTextsOfSmallRing = 20;

/// A disk with room for one segment of the journal, not for two.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& folder) : folder_(folder) {
    std::filesystem::create_directory(folder);
    EXPECT_EQ(::mount("understudy-test", folder.c_str(), "tmpfs", 0, "size=100m,mode=0750"), 0)
        << "cannot mount (run as root): " << std::strerror(errno);
  }
  ~SmallDisk() { ::umount2(folder_.c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  /// Takes all room that is left, until `empty`.
  void fill() const {
    std::ofstream out(ballast(), std::ios::binary);
    const std::string page(4096, 'x');
    while (out.write(page.data(), static_cast<std::streamsize>(page.size())).flush()) {
    }
  }
  void empty() const { std::filesystem::remove(ballast()); }
  void grow() const {
    EXPECT_EQ(::mount("understudy-test", folder_.c_str(), "tmpfs", MS_REMOUNT, "size=400m"), 0);
  }

 private:
  [[nodiscard]] std::string ballast() const { return folder_ + "/ballast"; }
  std::string folder_;
};

class FullDisk : public ::testing::Test {
 protected:
  FullDisk() {
    for (const std::string& side : {migration_.production(), migration_.shadow()})
      odbc::Connection(side).run("CREATE TABLE note (id integer PRIMARY KEY, body text)");
  }

  void create(const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {"create", "--production", migration_.production(),
                                        "--shadow", migration_.shadow()};
    command.insert(command.end(), more.begin(), more.end());
    migration_.expect_tool(command);
  }
  /// The driver writes texts of its statements into the journal, each of them once.
  void write_texts(odbc::Connection& application, int from, int count) {
    for (int i = from; i < from + count; ++i) {
      const std::string body(1u << 20, static_cast<char>('a' + i % 26));
      application.run("INSERT INTO note VALUES (" + std::to_string(i) + ", '" + body + "')");
    }
  }

  LiveMigration migration_;
};

bool tells_of_full_disk(const nlohmann::json& status) {
  return status["alarms"].dump().find("disk is full;") != std::string::npos;
}

TEST_F(FullDisk, WhereRoomIsMadeInTimeNothingIsLost) {
  create();
  const SmallDisk disk(migration_.journal());
  migration_.expect_tool({"start"});
  EXPECT_NE(migration_.status()["alarms"].dump().find("bytes left"), std::string::npos);
  odbc::Connection application(migration_.application());
  write_texts(application, 0, kTexts);
  const auto full = migration_.status_when(tells_of_full_disk);
  EXPECT_TRUE(tells_of_full_disk(full)) << full.dump(1);
  EXPECT_EQ(full["mode"], "record");
  EXPECT_EQ(full["can_cutover"], false);
  EXPECT_NE(full["blockers"].dump().find("waits for room"), std::string::npos);
  disk.grow();
  const auto after =
      migration_.status_when([](const auto& status) { return !tells_of_full_disk(status); });
  EXPECT_FALSE(tells_of_full_disk(after));
  migration_.expect_tool({"verify"});
  const auto verified = migration_.status();
  EXPECT_EQ(verified["rows_different"], 0);
  EXPECT_EQ(verified["journaled"], kTexts);
  EXPECT_EQ(odbc::Connection(migration_.shadow()).scalar("SELECT count(*)::text FROM note"),
            std::to_string(kTexts));
}

TEST_F(FullDisk, WhereNoRoomIsMadeRecordingEndsWithTheReasonAndTheApplicationGoesOn) {
  create({"--ring-bytes", "16777216"});
  const SmallDisk disk(migration_.journal());
  migration_.expect_tool({"start"});
  odbc::Connection application(migration_.application());
  write_texts(application, 0, kTexts + kTextsOfSmallRing);
  const auto after =
      migration_.status_when([](const auto& status) { return status["phase"] == "invalid"; });
  EXPECT_EQ(after["phase"], "invalid");
  EXPECT_NE(after["reason"].dump().find("room on its disk"), std::string::npos) << after["reason"];
  EXPECT_EQ(odbc::Connection(migration_.production()).scalar("SELECT count(*)::text FROM note"),
            std::to_string(kTexts + kTextsOfSmallRing));
}

/// The disk of the whole home: the state file is on it, too.
TEST_F(FullDisk, WithoutRoomForTheStateFileTheSideInUseStaysAndWithRoomItGoesOn) {
  const SmallDisk disk(OdbcEnvironment::shared().home() + "/" + migration_.name());
  create();
  migration_.expect_tool({"start", "--skip", "disk_room"});
  odbc::Connection application(migration_.application());
  write_texts(application, 0, 1);
  migration_.expect_tool({"verify"});
  disk.fill();
  const Finished refused = LiveMigration::tool({"cutover", migration_.name()});
  EXPECT_NE(refused.exit_code, 0) << refused.output;
  EXPECT_NE(refused.output.find("the disk is full; make room"), std::string::npos)
      << refused.output;
  EXPECT_EQ(migration_.status()["mode"], "record");
  write_texts(application, 1, 1);
  disk.empty();
  migration_.expect_tool({"start", "--skip", "disk_room"});
  migration_.expect_tool({"verify"});
  migration_.expect_tool({"cutover"});
  write_texts(application, 2, 1);
  EXPECT_EQ(odbc::Connection(migration_.shadow()).scalar("SELECT count(*)::text FROM note"), "3");
  EXPECT_EQ(migration_.status()["phase"], "switched");
}

TEST_F(FullDisk, CreateWithoutRoomLeavesNothingHalfMade) {
  const SmallDisk disk(OdbcEnvironment::shared().home() + "/" + migration_.name());
  disk.fill();
  const std::vector<std::string> command = {"create",       migration_.name(),
                                            "--production", migration_.production(),
                                            "--shadow",     migration_.shadow()};
  const Finished refused = LiveMigration::tool(command);
  EXPECT_EQ(refused.exit_code, 3) << refused.output;
  EXPECT_NE(refused.output.find("the disk is full; make room"), std::string::npos)
      << refused.output;
  disk.empty();
  const Finished made = LiveMigration::tool(command);
  EXPECT_EQ(made.exit_code, 0) << made.output;
  migration_.expect_tool({"start", "--skip", "disk_room"});
}

}  // namespace
}  // namespace understudy
