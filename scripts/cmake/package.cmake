# The shared library libtpn and what `cmake --install` gives of it: headers, CMake package, pkg-config file, documents.
# It needs only its public API's layer: lower layers come with it, and nothing but the API is exported.

include(CMakePackageConfigHelpers)

# Installed as <tpn/export.h>, <tpn/tpn.h> and what that includes, <tpn/kernels/precision.h>.
set(TPN_PUBLIC_HEADERS engine/recognize/export.h engine/recognize/tpn.h kernels/precision.h)

add_library(tpn SHARED $<TARGET_OBJECTS:tpn_recognize>)
add_library(tpn::tpn ALIAS tpn)
target_link_libraries(tpn PRIVATE tpn_recognize $<BUILD_INTERFACE:tpn_flags>)
target_compile_features(tpn INTERFACE cxx_std_20)
target_link_options(tpn PRIVATE LINKER:--version-script=${PROJECT_SOURCE_DIR}/scripts/cmake/libtpn.map)
set_target_properties(tpn PROPERTIES LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
                      LINK_DEPENDS ${PROJECT_SOURCE_DIR}/scripts/cmake/libtpn.map)

# <tpn/tpn.h> is the same line for those who use the installed package and those who add this folder to their build.
foreach(header IN LISTS TPN_PUBLIC_HEADERS)
  string(REPLACE engine/recognize/ "" name ${header})
  configure_file(${header} include/tpn/${name} COPYONLY)
endforeach()
target_include_directories(tpn INTERFACE $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
                                         $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tpn)
write_basic_package_version_file(tpn-config-version.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH TPN_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(scripts/cmake/tpn.pc.in tpn.pc @ONLY)

install(TARGETS tpn EXPORT tpn LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT tpn FILE tpn-config.cmake NAMESPACE tpn:: DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/tpn-config-version.cmake DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/tpn.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY ${PROJECT_BINARY_DIR}/include/tpn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
