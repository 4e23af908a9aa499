# SPDX-License-Identifier: MIT
# Debian packages: cmake --preset package && cmake --build --preset package && cpack --preset package
# An archive to unpack anywhere: cmake --preset release && cmake --build --preset release && cpack --preset archive
set(CPACK_PACKAGE_VENDOR "The go-rocm authors")
set(CPACK_PACKAGE_CONTACT "The go-rocm authors <go-rocm@localhost>" CACHE STRING "Maintainer that the packages name")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_FILE_NAME go-rocm-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR TGZ)
# CPack puts any summary but its own in front of that of each package.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_NAME} built using CMake")

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/host-api)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# gr_package(component name section depends summary text)
set(CPACK_COMPONENTS_ALL)
function(gr_package component name section depends summary text)
  list(APPEND CPACK_COMPONENTS_ALL ${component})
  string(TOUPPER ${component} key)
  install(FILES ${PROJECT_SOURCE_DIR}/packaging/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name}
          COMPONENT ${component})
  set(CPACK_COMPONENTS_ALL ${CPACK_COMPONENTS_ALL} PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_SECTION ${section} PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_DEPENDS ${depends} PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_DESCRIPTION "${summary}\n${text}" PARENT_SCOPE)
endfunction()

set(this_library "libinference1 (= ${PROJECT_VERSION})")
gr_package(library libinference1 libs "" "local inference backends, chosen at run time: the library"
  "Finds, checks and ranks backends for language models, and uses one.")
gr_package(development libinference-dev libdevel "${this_library}" "local inference backends: development files"
  "For those who write a host or a backend: headers, a static library, files for CMake and pkg-config, the ABI, and a backend to begin with.")
gr_package(program infer misc "${this_library}" "run language models on this machine"
  "Shows backends, devices and models, and generates, chats, classifies and embeds.")
foreach(backend IN ITEMS "rocm;AMD GPUs" "vulkan;GPUs with a Vulkan driver" "llama_cpp;the CPU")
  list(GET backend 0 profile)
  list(GET backend 1 device)
  string(REPLACE _ - name ${profile})
  gr_package(backend_${profile} inference-backend-${name} libs "" "local inference backends: ${device}"
    "A file that any host with libinference finds. It runs llama-server, of the package llama.cpp or of your own.")
  string(TOUPPER BACKEND_${profile} key)
  set(CPACK_DEBIAN_${key}_PACKAGE_ENHANCES infer)
  set(CPACK_DEBIAN_${key}_PACKAGE_SUGGESTS llama.cpp)
endforeach()
set(CPACK_DEBIAN_LIBRARY_PACKAGE_RECOMMENDS "inference-backend-llama-cpp | inference-backend-rocm | inference-backend-vulkan")
include(CPack)
