#include "kernels/cuda/libraries/dynamic_library.h"

#include <dlfcn.h>

namespace tpn::cuda {

Result<DynamicLibrary> DynamicLibrary::open(const std::string& name, const std::string& folder) {
  constexpr int flags = RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE;
  void* handle = ::dlopen(name.c_str(), flags);
  const char* reason = handle ? nullptr : ::dlerror();
  const std::string message =
      "The library " + name + " cannot be used: " + (reason ? reason : "it was not found") + ".";
  if (!handle && !folder.empty()) handle = ::dlopen((folder + "/" + name).c_str(), flags);
  if (!handle) return Failure{message};
  return DynamicLibrary(name, handle);
}

void DynamicLibrary::Close::operator()(void* handle) const noexcept {
  static_cast<void>(::dlclose(handle));
}

void* DynamicLibrary::symbol(const char* name) const {
  void* found = ::dlsym(handle_.get(), name);
  if (!found) throw Error("The library " + name_ + " has no function " + name + ".");
  return found;
}

}  // namespace tpn::cuda
