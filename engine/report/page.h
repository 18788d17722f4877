// The fixed parts of the report's page, made from report.css and report.js when the build is configured.
#pragma once

#include <string_view>

namespace tpn {

extern const std::string_view page_style;
extern const std::string_view page_script;

}  // namespace tpn
