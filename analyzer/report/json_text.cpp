#include "base/printable.h"
#include "report/json_value.h"

namespace cowscope::report {

namespace {

void make_printable(Json* value) {
    if (value->is_string()) {
        auto& text = value->get_ref<std::string&>();
        text = printable(text, LineBreaks::stay);
    }
    if (value->is_structured()) {
        for (Json& each : *value) make_printable(&each);
    }
}

}  // namespace

std::string json_text(Json value, int indent) {
    make_printable(&value);
    return value.dump(indent);
}

}  // namespace cowscope::report
