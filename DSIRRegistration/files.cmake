# What the module consists of; nothing here needs Slicer, so that `cmake -P` can list it too.

if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(WATCHED CONFIGURE_DEPENDS)
endif()

# Looked for, not written down: a new file of the engine is part of the module from the day it is there.
file(GLOB_RECURSE MODULE_PYTHON_SCRIPTS RELATIVE ${CMAKE_CURRENT_LIST_DIR} ${WATCHED}
  ${CMAKE_CURRENT_LIST_DIR}/DSIRRegistration.py
  ${CMAKE_CURRENT_LIST_DIR}/dsir/*.py
  ${CMAKE_CURRENT_LIST_DIR}/DSIRRegistrationLib/*.py
  )

file(GLOB_RECURSE MODULE_PYTHON_RESOURCES RELATIVE ${CMAKE_CURRENT_LIST_DIR} ${WATCHED}
  ${CMAKE_CURRENT_LIST_DIR}/Resources/*
  ${CMAKE_CURRENT_LIST_DIR}/dsir/*.html
  ${CMAKE_CURRENT_LIST_DIR}/dsir/*.j2
  ${CMAKE_CURRENT_LIST_DIR}/dsir/*.css
  ${CMAKE_CURRENT_LIST_DIR}/dsir/*.js
  ${CMAKE_CURRENT_LIST_DIR}/dsir/*.js
  ${CMAKE_CURRENT_LIST_DIR}/dsir/*.json
  ${CMAKE_CURRENT_LIST_DIR}/dsir/*.csv
  ${CMAKE_CURRENT_LIST_DIR}/dsir/*.md
  ${CMAKE_CURRENT_LIST_DIR}/dsir/*.safetensors
  )

if(CMAKE_SCRIPT_MODE_FILE)
  foreach(file IN LISTS MODULE_PYTHON_SCRIPTS MODULE_PYTHON_RESOURCES)
    message(STATUS "${file}")
  endforeach()
endif()
