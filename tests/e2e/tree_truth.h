// What a trace has to say of the programs of programs/tree_cases.h.
#pragma once

#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"

namespace cowscope::e2e {

inline Instruments any_instruments() {
    return GENERATE(Instruments::all, Instruments::census_only);
}

inline AccountRun record_case(const TemporaryFolder& folder, const std::string& program,
                              const std::string& name, Instruments instruments) {
    return record_account_successfully(folder / "t.cow", {program, name}, instruments);
}

// Every process that the program knows of is there, with exactly what it copied.
inline AccountRun check_case(const TemporaryFolder& folder, const std::string& program,
                             const std::string& name, Instruments instruments,
                             Bound bound = Bound::exact) {
    AccountRun recorded = record_case(folder, program, name, instruments);
    CAPTURE(name, recorded.report["witness"].dump());
    CHECK_FALSE(recorded.account.writers().empty());
    for (const int pid : recorded.account.writers()) {
        CHECK(row_of(recorded, pid)["census"] == "final");
        check_copies(recorded, pid, bound);
    }
    return recorded;
}

}  // namespace cowscope::e2e
