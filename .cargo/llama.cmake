# llama.cpp's and ggml's `project()` include this, as config.toml asks. A development build optimises only ggml, where the
# arithmetic is: models, samplers and templates take a third less time to compile at -O1.
if("$ENV{PROFILE}" STREQUAL "debug")
  if(PROJECT_NAME STREQUAL "ggml")
    set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
  else()
    set(CMAKE_CXX_FLAGS_RELEASE "-O1 -DNDEBUG")
  endif()
endif()

# What the wrapper calls of llama.cpp's `common` library is a third of it: grammars of JSON schemas, samplers, speculation. The
# rest (its command line, chat parsers, templates, downloads and an HTTP library for these) took two minutes of a cold build.
if(PROJECT_NAME STREQUAL "llama.cpp")
  function(compile_what_is_called)
    set(kept "common|fit|json|json-schema|json-schema-to-grammar|log|ngram-[a-z]+|reasoning-budget|sampling|speculative|trie|unicode")
    get_target_property(sources llama-common SOURCES)
    list(FILTER sources INCLUDE REGEX "^(${kept})\\.(cpp|h)$")
    set_property(TARGET llama-common PROPERTY SOURCES ${sources})
    foreach(property LINK_LIBRARIES INTERFACE_LINK_LIBRARIES)
      get_target_property(libraries llama-common ${property})
      list(FILTER libraries EXCLUDE REGEX "cpp-httplib")
      set_property(TARGET llama-common PROPERTY ${property} ${libraries})
    endforeach()
    set_property(TARGET cpp-httplib PROPERTY EXCLUDE_FROM_ALL ON)
  endfunction()
  cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL compile_what_is_called)
endif()
