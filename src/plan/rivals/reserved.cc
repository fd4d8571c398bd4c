// reserved: as many replicas as each app ever needs at once, held from the first moment to the last reply of the trace.
// They were started before, so no start is paid for; nobody waits.
#include <vector>

#include "plan/optimum.h"
#include "plan/rivals.h"
#include "plan/rivals/follow.h"

namespace kelvin::plan {

namespace {

class Reserved : public Rule {
 public:
  explicit Reserved(std::uint32_t replicas) : replicas_(replicas) {}
  void arrived(Fleet& /*fleet*/) override {}
  [[nodiscard]] std::uint32_t always() const override { return replicas_; }

 private:
  std::uint32_t replicas_;
};

}  // namespace

Outcome reserved(const Trace& trace, const Terms& terms) {
  const std::vector<std::uint32_t> peaks = peak_needs(trace, terms.slots);
  return follow("reserved", trace, terms,
                [&](std::uint32_t app) { return std::make_unique<Reserved>(peaks[app]); });
}

}  // namespace kelvin::plan
