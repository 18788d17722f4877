// A shared library that is opened when it is first needed, so that programs start and run without it.
#pragma once

#include <memory>
#include <string>

#include "kernels/error.h"

namespace tpn::cuda {

class DynamicLibrary {
 public:
  /// Opens a library by the name that the system's loader looks for (LD_LIBRARY_PATH and its own folders),
  /// else in `folder`, unless that is empty. The library stays loaded when the owner is gone: those of CUDA
  /// do not expect to be unloaded.
  static Result<DynamicLibrary> open(const std::string& name, const std::string& folder);

  /// Sets a pointer to a function; throws Error when the library has none of that name.
  template <class Function>
  void load(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(symbol(name));
  }

 private:
  struct Close {
    void operator()(void* handle) const noexcept;
  };

  DynamicLibrary(std::string name, void* handle) : name_(std::move(name)), handle_(handle) {}
  void* symbol(const char* name) const;

  std::string name_;
  std::unique_ptr<void, Close> handle_;
};

/// The functions of a library, which `load(library, api)` sets; or why they cannot be used here. name and
/// folder: as for DynamicLibrary::open.
template <class Api, class Load>
Result<Api> load_api(const std::string& name, const std::string& folder, const Load& load) {
  const Result<DynamicLibrary> library = DynamicLibrary::open(name, folder);
  if (!library) return library.failure();
  Api api;
  try {
    load(*library, api);
  } catch (const Error& e) {
    return Failure{e.what()};
  }
  return api;
}

}  // namespace tpn::cuda
