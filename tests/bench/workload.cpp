#include "tests/bench/workload.h"

#include <stdexcept>

namespace bench {
namespace {

constexpr char kUpdateAccount[] = "UPDATE accounts SET abalance = abalance + ? WHERE aid = ?";
constexpr char kReadAccount[] = "SELECT abalance FROM accounts WHERE aid = ?";

class Tpcb : public Workload {
 public:
  Tpcb(const std::string& target, std::uint64_t seed)
      : Workload(target, seed),
        account_(connection_, kUpdateAccount),
        read_(connection_, kReadAccount),
        teller_(connection_, "UPDATE tellers SET tbalance = tbalance + ? WHERE tid = ?"),
        branch_(connection_, "UPDATE branches SET bbalance = bbalance + ? WHERE bid = ?"),
        history_(connection_, "INSERT INTO history (tid, bid, aid, delta) VALUES (?, ?, ?, ?)") {
    connection_.set_autocommit(false);
  }

  void transaction() override {
    const std::int64_t account = draw(kAccounts);
    const std::int64_t teller = draw(kTellers);
    const std::int64_t branch = draw(kBranches);
    const std::int64_t delta = draw(10000) - 5000;
    account_.execute(delta, account);
    read_.execute(account);
    if (read_.fetch()) (void)read_.integer(1);
    read_.close();
    teller_.execute(delta, teller);
    branch_.execute(delta, branch);
    history_.execute(teller, branch, account, delta);
    connection_.commit();
  }

 private:
  plain::Statement account_, read_, teller_, branch_, history_;
};

class Upd1 : public Workload {
 public:
  Upd1(const std::string& target, std::uint64_t seed)
      : Workload(target, seed), account_(connection_, kUpdateAccount) {}
  void transaction() override { account_.execute(draw(10000) - 5000, draw(kAccounts)); }

 private:
  plain::Statement account_;
};

class Sel1 : public Workload {
 public:
  Sel1(const std::string& target, std::uint64_t seed)
      : Workload(target, seed), read_(connection_, kReadAccount) {}
  void transaction() override {
    read_.execute(draw(kAccounts));
    if (read_.fetch()) (void)read_.integer(1);
    read_.close();
  }

 private:
  plain::Statement read_;
};

}  // namespace

std::unique_ptr<Workload> make_workload(std::string_view name, const std::string& target,
                                        std::uint64_t seed) {
  if (name == "tpcb") return std::make_unique<Tpcb>(target, seed);
  if (name == "upd1") return std::make_unique<Upd1>(target, seed);
  if (name == "sel1") return std::make_unique<Sel1>(target, seed);
  throw std::invalid_argument("no workload called " + std::string(name));
}

}  // namespace bench
