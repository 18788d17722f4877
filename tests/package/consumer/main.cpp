#include <iostream>

#include <tpn/tpn.h>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const tpn::Model model = tpn::Model::load(argv[1]);
  std::cout << model.classes() << " classes, " << model.labels().size() << " labels\n";
}
