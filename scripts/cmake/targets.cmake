# One function per kind of target.

# tpn_layer(NAME SOURCES ... [OBJECTS ...] [LINKS ...] [PRIVATE_LINKS ...]): one layer of the library, target tpn_NAME.
# OBJECTS are compiled elsewhere.
# LINKS are the lower layers and outside libraries that its headers show, PRIVATE_LINKS those that only its sources use.
# Beside it a shared object is linked from the same objects against nothing but those, so that a call into a higher
# layer fails the build. (Not under sanitizers, whose symbols the program provides.)
function(tpn_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;OBJECTS;LINKS;PRIVATE_LINKS")
  add_library(tpn_${name} STATIC ${ARG_SOURCES} ${ARG_OBJECTS})
  target_link_libraries(tpn_${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS} $<BUILD_INTERFACE:tpn_flags>)
  if(TPN_BUILD_TESTS AND NOT TPN_SANITIZE)
    add_library(layer_check_${name} SHARED $<TARGET_OBJECTS:tpn_${name}> ${ARG_OBJECTS})
    target_link_libraries(layer_check_${name} PRIVATE ${ARG_LINKS} ${ARG_PRIVATE_LINKS})
    target_link_options(layer_check_${name} PRIVATE LINKER:--no-undefined)
    set_target_properties(layer_check_${name} PROPERTIES LINKER_LANGUAGE CXX
                          LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/layer_checks)
  endif()
endfunction()

# tpn_app(NAME SOURCES ... LINKS ...): a command-line program, installed; TPN_VERSION is defined in it.
function(tpn_app name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LINKS")
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} tpn_flags)
  target_compile_definitions(${name} PRIVATE TPN_VERSION="${PROJECT_VERSION}")
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# Programs of the tests labelled `threads` and not `slow`: all that the thread sanitizer's build needs.
add_custom_target(tests_threads)

# tpn_test(NAME SOURCES ... LINKS ... [LABELS ...] [SHARDS N]): a GoogleTest program, one ctest entry per program; with
# SHARDS as many, NAME_1 and so on, each of which runs a part of its tests and leaves a report in test_reports.
# What takes a test's time is in the libraries; its own sources compile a third faster with little optimisation, and under
# sanitizers in less than half the time with none (but where TPN_TESTS_COMPUTE is on).
# Labels with a meaning: `slow` (left out under sanitizers), `threads` (run under the thread sanitizer too), `package`.
function(tpn_test name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "SHARDS" "SOURCES;LINKS;LABELS")
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} tpn_flags GTest::gtest_main)
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)  # the short names of its helpers are its source's own
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(NOT TPN_TESTS_COMPUTE)
    target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O0>)
  endif()
  target_compile_definitions(${name} PRIVATE TPN_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
                                             TPN_SHARED_DATA="${TPN_SHARED_DATA}")
  if(ARG_SHARDS)
    foreach(shard RANGE 1 ${ARG_SHARDS})
      math(EXPR index "${shard} - 1")
      add_test(NAME ${name}_${shard}
               COMMAND ${name} --gtest_output=xml:${PROJECT_BINARY_DIR}/test_reports/${name}_${shard}.xml)
      set_tests_properties(${name}_${shard} PROPERTIES LABELS "${ARG_LABELS}"
                           ENVIRONMENT "GTEST_TOTAL_SHARDS=${ARG_SHARDS};GTEST_SHARD_INDEX=${index}")
    endforeach()
  else()
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  endif()
  if("threads" IN_LIST ARG_LABELS AND NOT "slow" IN_LIST ARG_LABELS)
    add_dependencies(tests_threads ${name})
  endif()
endfunction()

# tpn_cuda_test(NAME SOURCES ... LINKS ... [LABELS ...]): tests of what runs on a CUDA device, like tpn_test.
# Test NAME runs them on the emulated device and is labelled `emulated`; with the label `race` among LABELS, NAME_race
# runs them under the emulation's race checker (and nothing else). Where TPN_GPU_ONLY is on, NAME runs them on the
# machine's GPU, in four parts labelled `gpu`, whose kernels trap when they wait too long. tests/CMakeLists.txt lists the programs in files, by which scripts/test tells
# whether all of their tests ran.
function(tpn_cuda_test name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LINKS;LABELS")
  set(labels ${ARG_LABELS})
  list(REMOVE_ITEM labels race)
  if(TPN_GPU_ONLY)
    # In parts that a device does in seconds, several at once: a part that hangs is soon known.
    tpn_test(${name} SOURCES ${ARG_SOURCES} LINKS tpn_cuda_device ${ARG_LINKS} LABELS gpu ${labels} SHARDS 4)
    if(TARGET tpn_cuda_hopper_watched)  # before those of the library
      target_sources(${name} PRIVATE $<TARGET_OBJECTS:tpn_cuda_hopper_watched>)
    endif()
    add_dependencies(tpn_gpu ${name})
    return()
  endif()
  if(NOT TARGET tpn_cuda_emulated)
    return()
  endif()
  tpn_test(${name} SOURCES ${ARG_SOURCES} LINKS tpn_cuda_emulated cuda_on_cpu_findings ${ARG_LINKS} LABELS emulated ${labels})
  set_target_properties(${name} PROPERTIES TPN_CUDA_ON_CPU ON)
  set_tests_properties(${name} PROPERTIES TIMEOUT 1200)  # sanitizers slow the emulation down
  set_property(GLOBAL APPEND PROPERTY TPN_CUDA_TESTS_emulated "$<TARGET_FILE:${name}>")
  if("race" IN_LIST ARG_LABELS AND TARGET tpn_cuda_race)
    tpn_test(${name}_race SOURCES ${ARG_SOURCES} LINKS tpn_cuda_race cuda_on_cpu_findings ${ARG_LINKS} LABELS race)
    set_tests_properties(${name}_race PROPERTIES TIMEOUT 1200)
    add_dependencies(tests_race ${name}_race)
    set_target_properties(${name}_race PROPERTIES EXCLUDE_FROM_ALL ON)
    set_property(GLOBAL APPEND PROPERTY TPN_CUDA_TESTS_race "$<TARGET_FILE:${name}_race>")
  endif()
endfunction()

# The programs labelled `race`.
add_custom_target(tests_race)

# All fuzzers.
add_custom_target(fuzzers)

# tpn_fuzzer(NAME SOURCES ... LINKS ... [PARSER FILE] CORPUS ...): an LLVMFuzzerTestOneInput and the files it is replayed
# over by ctest in every build (CORPUS: folders). With TPN_BUILD_FUZZERS it is a libFuzzer program and ctest also tries a
# fixed series of mutations of the corpus; without, a plain main reads the files. libFuzzer watches what runs in the
# libraries of LINKS; PARSER is the one source to watch in a library whose other code does nothing but compute.
function(tpn_fuzzer name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "PARSER" "SOURCES;LINKS;CORPUS")
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} tpn_flags)
  add_dependencies(fuzzers ${name})
  if(TPN_BUILD_FUZZERS)
    set(watched $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link>)
    if(ARG_PARSER)
      set_property(SOURCE ${PROJECT_SOURCE_DIR}/${ARG_PARSER} TARGET_DIRECTORY ${ARG_LINKS}
                   APPEND PROPERTY COMPILE_OPTIONS ${watched})
    else()
      foreach(library IN LISTS ARG_LINKS)
        target_compile_options(${library} PRIVATE ${watched})
      endforeach()
    endif()
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set(found ${CMAKE_CURRENT_BINARY_DIR}/${name}_found)  # where libFuzzer writes new inputs
    file(MAKE_DIRECTORY ${found})
    add_test(NAME ${name}_replay COMMAND ${name} -runs=0 -rss_limit_mb=1024 -timeout=20 ${ARG_CORPUS})
    add_test(NAME ${name}_mutate COMMAND ${name} -runs=20000 -max_total_time=20 -seed=1 -max_len=65536
             -rss_limit_mb=1024 -timeout=20 -print_final_stats=1 ${found} ${ARG_CORPUS})
    set_tests_properties(${name}_replay ${name}_mutate PROPERTIES LABELS fuzz)
  else()
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.cpp)
    add_test(NAME ${name}_replay COMMAND ${name} ${ARG_CORPUS})
    set_tests_properties(${name}_replay PROPERTIES LABELS fuzz)
  endif()
endfunction()
