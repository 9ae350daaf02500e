// The file that says whether recording goes on behind a restart of the host.
#include "journal/durable_recording.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "journal/control_page.h"
#include "journal/process.h"
#include "tests/unit/segment_fixture.h"

namespace understudy {
namespace {

constexpr std::uint64_t kRing = kRingBytesMin;

class DurableRecordingTest : public SegmentTest {
 protected:
  void SetUp() override {
    SegmentTest::SetUp();
    std::filesystem::create_directory(home_ + "/" + kName);
  }

  [[nodiscard]] std::string path() const { return home_ + "/" + kName + "/recording"; }
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    out << std::ifstream(path()).rdbuf();
    return out.str();
  }
  void write(const std::string& content) const { std::ofstream(path()) << content; }
  void reboot() const {
    std::string now = text();
    const std::size_t at = now.find(boot_id());
    ASSERT_NE(at, std::string::npos);
    write(now.replace(at, boot_id().size(), std::string(boot_id().size(), '0')));
  }
  void begin() const { ASSERT_TRUE(begin_durable_recording(home_, kName, kRing).ok()); }
  [[nodiscard]] std::optional<DurableRecording> before() const {
    return recording_before(home_, kName);
  }
};

TEST_F(DurableRecordingTest, GoesOnInTheNextBoot) {
  begin();
  EXPECT_FALSE(before());
  reboot();
  ASSERT_TRUE(before());
  EXPECT_EQ(before()->ring_bytes, kRing);
  EXPECT_EQ(before()->boots, 1u);
  EXPECT_TRUE(resume_durable_recording(home_, kName).ok());
  EXPECT_FALSE(before());
  reboot();
  ASSERT_TRUE(before());
  EXPECT_EQ(before()->boots, 2u);
}

TEST_F(DurableRecordingTest, EndsForGood) {
  begin();
  EXPECT_TRUE(end_durable_recording(home_, kName).ok());
  reboot();
  EXPECT_FALSE(before());
  EXPECT_TRUE(resume_durable_recording(home_, kName).ok());
  EXPECT_FALSE(before());
}

TEST_F(DurableRecordingTest, BeginsAnewBehindOneThatHasEnded) {
  begin();
  EXPECT_TRUE(end_durable_recording(home_, kName).ok());
  begin();
  reboot();
  EXPECT_TRUE(before());
}

TEST_F(DurableRecordingTest, NothingToEndIsNoError) {
  EXPECT_TRUE(end_durable_recording(home_, kName).ok());
  EXPECT_FALSE(before());
}

TEST_F(DurableRecordingTest, IsItsOwnersAloneUnlessAGroupTakesPart) {
  for (const auto& [folder, file] : {std::pair(0700u, 0600u), std::pair(0710u, 0660u)}) {
    ASSERT_EQ(::chmod((home_ + "/" + kName).c_str(), folder), 0);
    std::filesystem::remove(path());
    begin();
    struct stat info {};
    ASSERT_EQ(::stat(path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, file);
  }
}

TEST_F(DurableRecordingTest, BelievesNoFileThatSaysNonsense) {
  const std::string boot(36, '0');
  for (const std::string& content :
       {std::string(), std::string("recorded"), std::string(4096, 'x'),
        "recorded   1 12345 " + boot,                                   // no size of a ring
        "recorded   1 18446744073709551616 " + boot,                    // too large a number
        "recorded   1 -65536 " + boot, "recorded  63 1048576 " + boot,  // no boots left
        "recorded 999 1048576 " + boot, "RECORDED   1 1048576 " + boot}) {
    write(content);
    EXPECT_FALSE(before()) << content;
  }
}

TEST_F(DurableRecordingTest, BelievesNoFileOfAnotherUser) {
  begin();
  reboot();
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  ASSERT_EQ(::chown(path().c_str(), 65534, 65534), 0);
  EXPECT_FALSE(before());
}

TEST_F(DurableRecordingTest, NewSharedMemoryRecordsAtOnce) {
  begin();
  reboot();
  SegmentMap& map = create(2 * kRing);
  ControlHeader& header = map.header();
  EXPECT_EQ(mode_of(header.mode_word.load()), Mode::record);
  EXPECT_EQ(header.durability_power.load(), 1u);
  EXPECT_EQ(map.ring_bytes(), kRing);
  const auto slot = map.register_session();
  ASSERT_TRUE(slot.ok());
  EXPECT_GT(map.slot(*slot).session_id.load(), std::uint64_t{1} << kSessionsOfBootBits);
  map.unregister_session(*slot);
  EXPECT_FALSE(before());
}

TEST_F(DurableRecordingTest, WhatEndsRecordingEndsItOnDisk) {
  begin();
  SegmentMap& map = create();
  set_mode(Mode::record);
  map.invalidate("a test says so");
  reboot();
  EXPECT_FALSE(before());
}

}  // namespace
}  // namespace understudy
