#include "record/choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/parse_text.h"

namespace cowscope::record {

namespace {

constexpr std::string_view kAutomatic = "auto";
constexpr std::string_view kOff = "off";

}  // namespace

Choice Choice::off() {
    Choice choice;
    choice.is_off_ = true;
    return choice;
}

std::string_view Choice::name() const {
    if (is_off_) return kOff;
    return instrument_ == nullptr ? kAutomatic : instrument_->name;
}

std::vector<std::string> choice_names(Instruments instruments) {
    std::vector<std::string> names = {std::string(kAutomatic)};
    for (const Instrument* instrument : instruments) names.emplace_back(instrument->name);
    names.emplace_back(kOff);
    return names;
}

Choice parse_choice(Instruments instruments, std::string_view source, std::string_view text) {
    if (text == kAutomatic) return {};
    if (text == kOff) return Choice::off();
    for (const Instrument* instrument : instruments) {
        if (text == instrument->name) return Choice(*instrument);
    }
    throw unknown_value(source, text,
                        fmt::format("{}", fmt::join(choice_names(instruments), ", ")));
}

}  // namespace cowscope::record
