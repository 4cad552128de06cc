package hub

import "syscall"

const mapPopulate = syscall.MAP_POPULATE
