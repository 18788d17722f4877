#include "apps/load_model.h"

#include "apps/model_argument.h"
#include "apps/model_digest.h"
#include "apps/program.h"

namespace tpn::app {

std::pair<Model, std::string> load_model(const std::string& given) {
  const ModelArgument model(given, say);
  return {Model::load(model.path()), model_digest(model.path())};
}

}  // namespace tpn::app
