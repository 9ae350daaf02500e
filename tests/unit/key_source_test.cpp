// Where the journal's keys come from, and every way in which that fails: one line, no secret in it.
#include "replayer/migration/key_source.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "replayer/migration/failure.h"

namespace understudy {
namespace {

constexpr int kEndMs = 20'000;  // far below what the command would take

class KeySourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/understudy-keys-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    folder_ = path;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string file(const std::string& text, unsigned mode = 0600) const {
    const std::string path = folder_ + "/file";
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  /// The line that it fails with; empty: it does not.
  static std::string failure(const KeySource& source) {
    try {
      (void)load_journal_keys(source);
    } catch (const Failure& error) {
      EXPECT_EQ(error.exit_code(), kExitFailed);
      EXPECT_EQ(std::string(error.what()).find(kDigits), std::string::npos) << error.what();
      return error.what();
    }
    return {};
  }
  [[nodiscard]] std::string failure_of_script(const std::string& script) const {
    return failure({{}, {file("#!/bin/sh\n" + script + "\n", 0700)}});
  }

  static constexpr const char* kDigits = "abcdefabcdef";
  const std::string key_ = std::string("abcdefabcdef") + std::string(52, '1');
  std::string folder_;
};

TEST_F(KeySourceTest, WithoutASourceThereIsNoKey) {
  EXPECT_EQ(load_journal_keys({}), nullptr);
}

TEST_F(KeySourceTest, FileAndCommandGiveTheSameKeys) {
  const auto of_file = load_journal_keys({file(key_ + "\n"), {}});
  const auto of_command = load_journal_keys({{}, {"/bin/cat", folder_ + "/file"}});
  ASSERT_NE(of_file, nullptr);
  EXPECT_EQ(of_file->current(), of_command->current());
}

TEST_F(KeySourceTest, FileThatOthersMayReadIsRefused) {
  for (const unsigned mode : {0640u, 0604u, 0620u, 0660u}) {
    EXPECT_NE(failure({file(key_, mode), {}}).find("chmod 600"), std::string::npos) << mode;
  }
  EXPECT_EQ(failure({file(key_, 0400), {}}), "");
}

TEST_F(KeySourceTest, AnythingButARegularFileOfItsUserIsRefused) {
  EXPECT_NE(failure({folder_ + "/none", {}}), "");
  EXPECT_NE(failure({folder_, {}}), "");
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_NE(failure({pipe, {}}).find("no regular file"), std::string::npos);
  const std::string path = file(key_);
  if (::chown(path.c_str(), 4711, 4711) == 0) {
    EXPECT_NE(failure({path, {}}).find("belongs to user 4711"), std::string::npos);
  }
}

TEST_F(KeySourceTest, WrongSizeOrEncodingIsRefused) {
  for (const std::string& text :
       {std::string(), key_.substr(1), key_ + "1", key_ + "\r\n", std::string(100000, '1')}) {
    EXPECT_NE(failure({file(text), {}}), "") << text.size();
  }
}

TEST_F(KeySourceTest, CommandThatFailsSaysHow) {
  EXPECT_NE(failure_of_script("echo " + key_ + "; exit 7").find("ended with 7"), std::string::npos);
  EXPECT_NE(failure_of_script("kill -9 $$").find("signal 9"), std::string::npos);
  EXPECT_NE(failure_of_script("exit 0"), "");
  EXPECT_NE(failure({{}, {folder_ + "/none"}}).find("cannot run"), std::string::npos);
  EXPECT_NE(failure({{}, {"cat"}}).find("full path"), std::string::npos);
}

TEST_F(KeySourceTest, CommandThatPrintsWithoutEndIsEnded) {
  EXPECT_NE(failure({{}, {"/usr/bin/yes"}}).find("more than any key file"), std::string::npos);
}

// Takes as long as a key command may.
TEST_F(KeySourceTest, CommandThatDoesNotEndIsEndedWithEverythingItStarted) {
  const std::string mark = folder_ + "/pid";
  EXPECT_NE(failure_of_script("sleep 100 & echo $! > " + mark + "; wait").find("took more than"),
            std::string::npos);
  pid_t started = 0;
  std::ifstream(mark) >> started;
  ASSERT_GT(started, 0);
  // Killed is not yet gone.
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, started, 0));
  if (process < 0) return;
  pollfd ended{process, POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, kEndMs), 1);
  ::close(process);
}

TEST_F(KeySourceTest, CommandSeesNothingOfStandardInputAndItsErrorsAreNotShown) {
  EXPECT_EQ(failure_of_script("cat; echo " + key_ + "; echo secret >&2"), "");
}

TEST_F(KeySourceTest, WordsOfACommandAreThoseBetweenBlanks) {
  EXPECT_EQ(words_of_command("/usr/bin/pass  show x "),
            (std::vector<std::string>{"/usr/bin/pass", "show", "x"}));
  for (const char* text : {"/bin/cat 'a b'", "/bin/cat $HOME", "/bin/cat a|b", "/bin/cat a;b"}) {
    EXPECT_THROW(words_of_command(text), Failure) << text;
  }
}

}  // namespace
}  // namespace understudy
