#include "engine/exec/selection_file.h"

#include <cstdint>
#include <fstream>
#include <string>
#include <system_error>

#include "engine/model/cache_folder.h"
#include "engine/model/output_file.h"

namespace tpn {

std::optional<std::filesystem::path> selection_file() {
  const auto folder = cache_folder();
  return folder ? std::optional(*folder / "kernel_selections") : std::nullopt;
}

SelectionTable load_selections(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return {};
  const std::uintmax_t bytes = std::filesystem::file_size(file, error);
  if (error || bytes > SelectionTable::max_bytes) return {};
  std::string text(static_cast<std::size_t>(bytes), '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  Result<SelectionTable> table = SelectionTable::parse(text);
  return table ? *std::move(table) : SelectionTable{};
}

bool save_selections(const std::filesystem::path& file, SelectionStore& store) {
  if (!store.take_changed()) return true;
  try {
    SelectionTable table = load_selections(file);
    table.put_all(store.snapshot());
    std::filesystem::create_directories(file.parent_path());
    OutputFile output(file);
    output.write(table.text());
    output.commit();
    return true;
  } catch (const Error&) {
    return false;
  } catch (const std::filesystem::filesystem_error&) {
    return false;
  }
}

}  // namespace tpn
